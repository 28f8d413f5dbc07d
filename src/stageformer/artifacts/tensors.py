"""Tensor artifacts: ``.pt`` files that hold plain tensors and plain metadata, and never code.

A file holds one dict: ``{"kind": str, "schema_version": int, "metadata": {...}, "tensors": {name: Tensor}}``. It opens
with ``torch.load(path, weights_only=True, mmap=True)`` without this library.
"""

from __future__ import annotations

import math
import pickle
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stageformer.artifacts.files import atomic_file, first_line, reason_of
from stageformer.artifacts.header import SCHEMA_VERSION, check_header, damage_hint, rerun_hint
from stageformer.artifacts.reading import check_regular
from stageformer.errors import StageformerError


@dataclass(frozen=True)
class TensorFile:
    """What is in a tensor artifact."""

    kind: str
    metadata: dict[str, Any]
    tensors: dict[str, Tensor]


def write_tensors(path: Path, kind: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and plain metadata. The same content gives the same bytes.

    Metadata may hold str, int, float, bool, None, and lists, tuples (they become lists) and dicts (by str) of them.

    Raises:
        StageformerError: the file cannot be written; see :func:`~stageformer.artifacts.files.atomic_file`.
        TypeError: the metadata holds something else.
    """
    seen: set[int] = set()
    content = {
        "kind": sys.intern(kind),
        "schema_version": SCHEMA_VERSION,
        "metadata": _plain(metadata),
        "tensors": {sys.intern(name): _with_own_storage(tensors[name], seen) for name in sorted(tensors)},
    }
    with atomic_file(path) as file:
        # Saved through a file object, so that the temporary name does not enter the archive.
        torch.save(content, file)


def _plain(value: Any) -> Any:
    """Return a copy whose pickle depends on the content alone.

    Pickle writes an object that it has met before as a reference, so two equal strings, lists or dicts would give other
    bytes than one of them used twice. Here equal strings are one object, and every container is an object of its own.
    """
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is str:
        return sys.intern(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping) and all(type(key) is str for key in value):
        return {sys.intern(key): _plain(value[key]) for key in sorted(value)}
    raise TypeError(f"metadata may hold plain values only, found {value!r} of type {type(value).__name__}")


def _with_own_storage(tensor: Tensor, seen: set[int]) -> Tensor:
    """Return the tensor, copied only if it is a view of a larger storage or shares one with a tensor in ``seen``.

    A view would be saved with the whole storage behind it, and shared storages would give other bytes than equal ones.
    """
    tensor = tensor.detach().cpu().contiguous()
    storage = tensor.untyped_storage()
    if storage.nbytes() != tensor.nbytes or storage.data_ptr() in seen:
        tensor = tensor.clone()
    seen.add(tensor.untyped_storage().data_ptr())
    return tensor


def read_tensors(path: Path, kind: str | None = None, *, verify: bool = True) -> TensorFile:
    """Read a tensor artifact, memory-mapped. With ``kind``, it must be of that kind.

    With ``verify`` the whole file is first read once and held against the checksums in it (about a second per
    gigabyte); torch itself checks none. Without it, a changed number goes unnoticed; a cut-off file never does.

    Raises:
        StageformerError: there is no such file, it is cut off or corrupt, it holds something other than plain tensors
            and metadata (code is never loaded), or it is another kind of artifact.
    """
    hint = rerun_hint(kind or "")
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if odd := _odd_entry(archive):
                raise StageformerError(f"{path}: {odd}; rejected, since its numbers could be misread{hint}")
            damaged = archive.testzip() if verify else None
        if damaged:
            raise StageformerError(f"{path}: damaged ({damaged} does not match its checksum){damage_hint(kind or '')}")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except StageformerError:
        raise
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file{hint}") from None
    except pickle.UnpicklingError:
        raise StageformerError(
            f"{path}: holds more than plain tensors and metadata; rejected: code is never loaded from a file{hint}"
        ) from None
    except (PermissionError, MemoryError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "out of memory"
        raise StageformerError(f"{path}: cannot be read: {reason}") from None
    except Exception as error:  # Damaged bytes make zipfile and torch raise errors of nearly every class.
        reason = f"cut off or not a tensor file ({first_line(error)})"
        raise StageformerError(f"{path}: {reason}{damage_hint(kind or '')}") from None
    header = content if isinstance(content, dict) else {}
    check_header(path, header, kind)
    metadata, tensors = header.get("metadata"), header.get("tensors")
    if not isinstance(metadata, dict) or not isinstance(tensors, dict):
        raise StageformerError(f"{path}: found no metadata and tensors beside the header{hint}")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not _is_plain(tensor):
            raise StageformerError(f"{path}: its tensor {name!r} is not a plain one, row after row in memory{hint}")
    return TensorFile(kind=header["kind"], metadata=metadata, tensors=tensors)


def _odd_entry(archive: zipfile.ZipFile) -> str | None:
    """Return what is unusual about an entry: ``torch.save`` stores all as they are, and each name once."""
    names = set()
    for entry in archive.infolist():
        encrypted = entry.flag_bits & 1
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or encrypted:
            return f"its entry {entry.filename!r} is compressed or encrypted"
        if entry.filename in names:
            return f"its entry {entry.filename!r} is there twice"
        names.add(entry.filename)
    return None


def _is_plain(tensor: Any) -> bool:
    return (
        isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and tensor.is_contiguous()
    )


def is_finite(tensor: Tensor) -> bool:
    """Return whether no number is NaN or infinite, in one pass and without a copy."""
    if not tensor.numel() or not tensor.is_floating_point():
        return True
    if tensor.dtype == torch.float32 and math.isfinite(tensor.sum().item()):  # the fastest pass; seldom too large
        return True
    low, high = torch.aminmax(tensor)  # both are NaN if any number is
    return bool(torch.isfinite(low) & torch.isfinite(high))


def check_finite(path: Path, kind: str, tensors: Mapping[str, Tensor]) -> None:
    """Check numbers that were read from ``path``, an artifact of this kind.

    Raises:
        StageformerError: one is not finite; it names the tensor.
    """
    for name, tensor in tensors.items():
        if not is_finite(tensor):
            raise StageformerError(
                f"{path}: the tensor {name} holds numbers that are not finite (NaN or infinite){rerun_hint(kind)}"
            )
