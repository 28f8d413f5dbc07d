"""Making wrong inputs: changed tensor files, tables, documents and parameters."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

Change = Callable[[Any], Any]


def write(path: str, content: bytes | str) -> Callable[[Path], None]:
    """Return what writes a file, and the folders above it."""

    def prepare(root: Path) -> None:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_bytes(content.encode(errors="surrogateescape") if isinstance(content, str) else content)

    return prepare


def tensors(path: str, change: Change) -> Callable[[Path], None]:
    """Return what loads a ``.pt`` file as plain torch does, changes its content, and saves it again."""

    def prepare(root: Path) -> None:
        import torch

        content = torch.load(root / path, weights_only=True)
        changed = change(content)
        torch.save(content if changed is None else changed, root / path)

    return prepare


def metadata(path: str, **values: Any) -> Callable[[Path], None]:
    """Return what sets metadata of a ``.pt`` file; ``a__b`` means ``a`` then ``b``, and DROP removes it."""

    def change(content: Any) -> None:
        for name, value in values.items():
            *groups, leaf = name.split("__")
            place = content["metadata"]
            for group in groups:
                place = place[group]
            if value is DROP:
                del place[leaf]
            else:
                place[leaf] = value

    return tensors(path, change)


DROP = object()
"""In place of a value: the key is removed."""


def bytes_of(path: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return what changes the bytes of a file."""
    return lambda root: (root / path).write_bytes(change((root / path).read_bytes())) and None


def zipped(path: str, change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]) -> Callable[[Path], None]:
    """Return what changes the entries of a zip file; all are stored."""

    def prepare(root: Path) -> None:
        with zipfile.ZipFile(root / path) as archive:
            entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for name, content in change(entries):
                archive.writestr(zipfile.ZipInfo(name), content)
        (root / path).write_bytes(written.getvalue())

    return prepare


def table(path: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    """Return what changes a table, whose header stays."""

    def prepare(root: Path) -> None:
        before = pq.read_table(root / path)
        after = change(before).replace_schema_metadata(before.schema.metadata)
        pq.write_table(after, root / path)

    return prepare


def column(path: str, name: str, change: Callable[[list[Any]], list[Any]]) -> Callable[[Path], None]:
    """Return what changes the values of one column; types, also of what is nullable, stay."""

    def prepare(root: Path) -> None:
        before = pq.read_table(root / path)
        field = before.schema.field(name)
        values = pa.array(change(before[name].to_pylist()), _nullable(field.type))
        at = before.schema.get_field_index(name)
        after = before.set_column(at, pa.field(name, _nullable(field.type)), values)
        pq.write_table(after.replace_schema_metadata(before.schema.metadata), root / path)

    return prepare


def _nullable(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind.value_type)) if pa.types.is_list(kind) else kind


def document(path: str, change: Change) -> Callable[[Path], None]:
    """Return what changes the content of a JSON file."""

    def prepare(root: Path) -> None:
        content = json.loads((root / path).read_text())
        changed = change(content)
        (root / path).write_text(json.dumps(content if changed is None else changed))

    return prepare


def setting(path: str, **values: Any) -> Callable[[Path], None]:
    """Return what sets values of a YAML file; ``a__b`` means ``a`` then ``b``, and DROP removes one."""

    def prepare(root: Path) -> None:
        yaml = YAML()
        yaml.width = 200
        content = yaml.load(root / path)
        for name, value in values.items():
            *groups, leaf = name.split("__")
            place = content
            for group in groups:
                place = place[group]
            if value is DROP:
                del place[leaf]
            else:
                place[leaf] = value
        yaml.dump(content, root / path)

    return prepare


def params(**values: Any) -> Callable[[Path], None]:
    """Return what sets parameters; ``__`` means the dot of ``group.name``."""
    return setting("params.yaml", **values)


def both(*steps: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Return what does one after another."""

    def prepare(root: Path) -> None:
        for step in steps:
            step(root)

    return prepare


def away(path: str) -> Callable[[Path], None]:
    """Return what removes a file."""
    return lambda root: (root / path).unlink()
