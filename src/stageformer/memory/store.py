"""The memory store: the encoder output of each sentence, on which any number of decoders are trained.

In meaning it is ``[B, S, E]``; on disk the padding is left out. A folder holds shards ``memory-00000.pt``, tensor
artifacts of kind ``memory`` with ``values [tokens, E]``, ``offsets [sentences + 1]`` and ``ids [sentences]``: sentence
``i`` of a shard owns the rows ``offsets[i]:offsets[i + 1]``, one for each of its ``source_ids``, ``<eos>`` included.

Shape letters: B batch, S source length, E width of the memory (d_model, if it is that of our own encoder).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stageformer.artifacts.files import atomic_folder
from stageformer.artifacts.header import SPLITS, rerun_hint
from stageformer.artifacts.tensors import TensorFile, read_tensors, write_tensors
from stageformer.batching.sentences import Ints, flat_places, presence
from stageformer.errors import StageformerError

OF_THE_STAGE = (*SPLITS, "train-dropout-*", "answers")
"""What the folder of the stage encode may hold, see :func:`~stageformer.artifacts.files.atomic_folder`."""
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def empty_path(folder: Path) -> Path:
    """Return the file that replaces the shards where nothing learns from memory."""
    return folder / "empty.pt"


def shard_path(folder: Path, index: int) -> Path:
    """Return the file of a shard."""
    return folder / f"memory-{index:05d}.pt"


def write_empty_memory(folder: Path) -> None:
    """Write ``empty.pt``, which replaces the memory of a split where nothing learns from memory.

    It is the same whatever the encoder and the parameters are, so that nothing that depends on it runs again.

    Raises:
        StageformerError: the disk is full.
    """
    for old in folder.glob("memory-*.pt"):
        old.unlink()
    write_tensors(empty_path(folder), "empty_memory", {}, {})


def write_empty_memories(folder: Path) -> None:
    """Replace the folder of the stage encode by one with an empty memory for each split."""
    with atomic_folder(folder, OF_THE_STAGE) as new:
        for split in SPLITS:
            write_empty_memory(new / split)


def find_memory(folder: Path, fingerprint: str) -> MemoryStore | None:
    """Return the memory of a split, or None where it is empty or another encoder's than the one of ``fingerprint``.

    Raises:
        StageformerError: the folder holds neither, or a shard is damaged.
    """
    if empty_path(folder).exists():
        return None
    store = MemoryStore(folder)
    return store if store.fingerprint == fingerprint else None


def dropout_copy(folder: Path, number: int) -> Path:
    """Return where, in the folder of the stage encode, an encoding of ``train`` with dropout is, counted from 1."""
    return folder / f"train-dropout-{number:02d}"


def dropout_copies(folder: Path) -> list[Path]:
    """Return the encodings of ``train`` with dropout that there are, in order."""
    return sorted(folder.glob("train-dropout-*"))


class MemoryStore:
    """Reads the memory of one split, memory-mapped: any sentences, in any order, as a padded batch.

    Attributes:
        ids: sentence ids. Shape: ``[sentences]``.
        lengths: tokens of each sentence. Shape: ``[sentences]``.
        width: E of every vector; ``d_model`` in the file.
        dtype: number format on disk: a key of ``DTYPES``.
        fingerprint: names the maker.
        kept: the layers of the maker that stand side by side in each vector; None: its output alone.

    Raises:
        StageformerError: the folder holds no memory, a shard is missing, cut off or inconsistent, or the shards do not
            belong together.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shards = _open_shards(folder)
        first = shards[0].metadata
        self.width: int = first["d_model"]
        self.dtype: str = first["dtype"]
        self.fingerprint: str = first["fingerprint"]
        self.kept: list[int] | None = first.get("layers")
        self._values = [shard.tensors["values"] for shard in shards]
        offsets = [shard.tensors["offsets"].numpy() for shard in shards]
        self.ids: Ints = np.concatenate([shard.tensors["ids"].numpy() for shard in shards])
        self.lengths: Ints = np.concatenate([np.diff(array) for array in offsets])
        self._starts: Ints = np.concatenate([array[:-1] for array in offsets])
        self._shards: Ints = np.repeat(np.arange(len(shards)), [len(array) - 1 for array in offsets])
        self._order: Ints = np.argsort(self.ids, kind="stable")
        twice = np.flatnonzero(np.diff(self.ids[self._order]) == 0)
        if len(twice):
            raise StageformerError(
                f"{folder}: sentence {self.ids[self._order[twice[0]]]} is there twice{rerun_hint('memory')}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: Ints | Tensor, longest: int | None = None) -> tuple[Tensor, Tensor]:
        """Gather sentences into a padded batch.

        Args:
            rows: rows of the sentences, in any order, also repeated. Shape: ``[B]``.
            longest: S; None: the longest of these sentences.

        Returns:
            The memory as float32, zeros where there is padding, and presence, True where there is a token.
            Shapes: ``[B, S, E]`` and ``[B, S]``.

        Raises:
            IndexError: there is no such row.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and rows.min() < 0:
            raise IndexError(f"row {rows.min()} is negative")
        lengths = self.lengths[rows]
        present = presence(lengths, longest)
        places, sources = np.flatnonzero(present), flat_places(self._starts[rows], lengths)
        shards = self._shards[rows]
        memory = torch.zeros(present.size, self.width)
        for shard in np.unique(shards):
            own = np.repeat(shards == shard, lengths)
            values = self._values[shard].index_select(0, torch.from_numpy(sources[own]))
            memory.index_copy_(0, torch.from_numpy(places[own]), values.float())
        return memory.view(*present.shape, self.width), torch.from_numpy(present)

    def check_sentences(self, ids: Ints, table: Path | str) -> None:
        """Check that the memory holds these sentences and no other, in any order.

        Args:
            ids: of the sentences of a table, each once. Shape: ``[sentences]``.
            table: what messages call it.

        Raises:
            StageformerError: one is in the memory or in the table alone; it names the first.
        """
        for only, here, there in (
            (np.setdiff1d(ids, self.ids), table, self.folder), (np.setdiff1d(self.ids, ids), self.folder, table),
        ):  # fmt: skip
            if len(only):
                raise StageformerError(
                    f"{here}: holds sentence {only[0]}, which {there} lacks ({len(only)} such); they are of different "
                    "runs, run `dvc repro encode`"
                )

    def check_lengths(self, rows: Ints, lengths: Ints) -> None:
        """Check that sentences have as many vectors as their maker gives them.

        Args:
            rows: rows of the sentences. Shape: ``[B]``.
            lengths: vectors that each should have. Shape: ``[B]``.

        Raises:
            StageformerError: one has more or fewer; it names the first.
        """
        wrong = np.flatnonzero(self.lengths[rows] != lengths)
        if len(wrong):
            row = rows[wrong[0]]
            raise StageformerError(
                f"{self.folder}: sentence {self.ids[row]} has {self.lengths[row]} vectors, needed {lengths[wrong[0]]}, "
                f"by its tokens in the table of ids{rerun_hint('memory')}"
            )

    def rows_of(self, ids: Ints | Tensor) -> Ints:
        """Return the rows of sentences by their ids. Shape: ``[B]``.

        Raises:
            StageformerError: a sentence is not in the store.
        """
        ids = np.asarray(ids, dtype=np.int64)
        if len(self):
            found: Ints = self._order[np.searchsorted(self.ids, ids, sorter=self._order).clip(max=len(self) - 1)]
            unknown = ids[self.ids[found] != ids]
        else:
            found, unknown = ids, ids
        if len(unknown):
            raise StageformerError(
                f"{self.folder}: no sentence {unknown[0]} among the {len(self)} there ({len(unknown)} of {len(ids)} "
                f"asked for are missing){rerun_hint('memory')}"
            )
        return found


def _open_shards(folder: Path) -> list[TensorFile]:
    """Open all shards of a folder, after a check that each is whole and that they belong together."""
    hint = rerun_hint("memory")
    # Checksums are left to `stageformer show`: a store is mapped so that it need not be read whole.
    shards = [read_tensors(path, "memory", verify=False) for path in sorted(folder.glob("memory-*.pt"))]
    if not shards and empty_path(folder).exists():
        read_tensors(empty_path(folder), "empty_memory")
        raise StageformerError(
            f"{folder}: the memory is empty, since train_encoder.way was 'joint' when it was made; "
            "set it to 'staged' and run `dvc repro`"
        )
    if not shards:
        raise StageformerError(f"{folder}: holds no memory (memory-00000.pt and on){hint}")
    first = shards[0].metadata
    num_shards = first.get("num_shards")
    # Where n shards are there, one of the first n + 1 is missing: no more names are tried, whatever the metadata says.
    expected = range(min(num_shards, len(shards) + 1)) if isinstance(num_shards, int) else ()
    missing = [shard_path(folder, n).name for n in expected if not shard_path(folder, n).exists()]
    if missing or len(shards) != num_shards:
        what = f"{missing[0]} is missing" if missing else "there are more than belong together"
        raise StageformerError(f"{folder}: found {len(shards)} of {num_shards} shards, {what}{hint}")
    for index, shard in enumerate(shards):
        path = shard_path(folder, index)
        for key in ("d_model", "dtype", "fingerprint", "num_shards", "total_sentences", "total_tokens",
                    "layers"):  # fmt: skip
            if shard.metadata.get(key) != first.get(key) or (key not in shard.metadata and key != "layers"):
                raise StageformerError(
                    f"{path}: its {key} is {shard.metadata.get(key)!r}, that of {shard_path(folder, 0).name} is "
                    f"{first.get(key)!r}; they are of different runs{hint}"
                )
        if not _is_consistent(shard.tensors, shard.metadata, index):
            raise StageformerError(f"{path}: its tensors and its metadata contradict each other{hint}")
    for total, one in (("total_sentences", "num_sentences"), ("total_tokens", "num_tokens")):
        found = sum(shard.metadata[one] for shard in shards)
        if found != first[total]:
            raise StageformerError(f"{folder}: found {one} {found} in all shards, needed {first[total]}{hint}")
    return shards


_TYPES = {
    "d_model": int,
    "dtype": str,
    "fingerprint": str,
    "num_sentences": int,
    "num_tokens": int,
    "shard": int,
    "total_sentences": int,
    "total_tokens": int,
}


def _is_consistent(tensors: dict[str, Tensor], metadata: dict[str, Any], index: int) -> bool:
    if set(tensors) != {"values", "offsets", "ids"} or any(
        type(metadata.get(key)) is not kind for key, kind in _TYPES.items()
    ):
        return False
    if metadata["dtype"] not in DTYPES:
        return False
    kept = metadata.get("layers", [0])
    if not isinstance(kept, list) or not kept or any(type(one) is not int for one in kept):
        return False
    values, offsets, ids = tensors["values"], tensors["offsets"], tensors["ids"]
    return (
        metadata.get("shard") == index
        and values.dtype == DTYPES[metadata["dtype"]]
        and offsets.dtype == ids.dtype == torch.int64
        and tuple(values.shape) == (metadata.get("num_tokens"), metadata["d_model"])
        and metadata["d_model"] % len(kept) == 0
        and tuple(ids.shape) == (metadata.get("num_sentences"),)
        and tuple(offsets.shape) == (len(ids) + 1,)
        and int(offsets[0]) == 0
        and int(offsets[-1]) == len(values)
        and bool((offsets.diff() >= 0).all())
    )


def layers_of(folder: Path) -> list[int] | None:
    """Return the layers that stand side by side in the memory of the stage encode, in its ``folder``; None: the last.

    Raises:
        StageformerError: as :class:`MemoryStore`.
    """
    return MemoryStore(folder / SPLITS[0]).kept


def open_memory(folder: Path, ids: Ints, fingerprint: str, lengths: Ints | None = None) -> MemoryStore:
    """Open the memory of a split, after a check that it belongs to these sentences and this maker.

    Args:
        folder: of the split, such as ``data/encode/train``.
        ids: sentence ids of the table that is trained on, in its order. Shape: ``[sentences]``.
        fingerprint: of the maker that should have made the memory.
        lengths: how many vectors each sentence should have, where the maker is known. Shape: ``[sentences]``.

    Raises:
        StageformerError: as :class:`MemoryStore`; the memory is another maker's, or of other sentences.
    """
    store = MemoryStore(folder)
    if store.fingerprint != fingerprint:
        raise StageformerError(
            f"{folder}: holds memory of the maker {store.fingerprint[:8]}, needed that of {fingerprint[:8]}"
            f"{rerun_hint('memory')}"
        )
    if not np.array_equal(store.ids, ids):
        raise StageformerError(f"{folder}: holds other sentences than the table of ids{rerun_hint('memory')}")
    if lengths is not None:
        store.check_lengths(np.arange(len(store)), lengths)
    return store
