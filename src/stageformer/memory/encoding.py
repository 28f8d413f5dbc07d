"""Run every sentence of a split through a maker of memory once, and keep the output in the memory store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from stageformer.artifacts.files import atomic_folder
from stageformer.artifacts.made_with import Parts, check_made_with
from stageformer.artifacts.tensors import read_tensors
from stageformer.batching.batches import batches_by_length
from stageformer.batching.pairs import StoredSentences
from stageformer.batching.sentences import Ints, Sentences
from stageformer.compute.device import make_pool
from stageformer.compute.disk import check_disk
from stageformer.compute.precision import autocast, random_draws
from stageformer.compute.processes import ALONE, Processes
from stageformer.console.output import say
from stageformer.memory.asker import Asker
from stageformer.memory.sources import encoder
from stageformer.memory.sources.base import MemorySource
from stageformer.memory.store import OF_THE_STAGE, dropout_copy
from stageformer.memory.writer import MemoryShard, MemoryWriter
from stageformer.params.choices import chosen, kinds
from stageformer.params.compute import Compute
from stageformer.params.encode import Encode

_SENTENCES_AT_ONCE = 10_000


def open_source(
    path: Path, pad_id: int, device: torch.device, parts: Parts | None = None, layers: str | list[int] = "last",
    asker: Asker | None = None,
) -> MemorySource:  # fmt: skip
    """Open the maker of memory that the stage ``train_encoder`` left.

    Args:
        path: an artifact of kind ``encoder``, such as ``data/train_encoder/encoder.pt``. The objective that it names
            says which file of ``memory/sources/`` opens it; only that file is imported.
        pad_id: the id that fills a batch of sources up.
        device: to compute on.
        parts: the vocabularies of the sentences, which the maker should have learnt from.
        layers: those that make memory, side by side, as ``encode.layers``.
        asker: for a maker that asks a service; None: nobody can be asked.

    Raises:
        StageformerError: on a bad artifact, and on one that was made with others; there is no such layer.
    """
    metadata = read_tensors(path, "encoder", verify=False).metadata
    check_made_with(path, metadata, parts or {})
    objective = str(metadata.get("objective"))
    if objective in kinds("stageformer.memory.sources"):
        source: MemorySource = chosen("stageformer.memory.sources", objective).open_source(
            path, pad_id, device, layers, asker
        )
        return source
    return encoder.open_source(path, pad_id, device, layers)


def memory_writer(folder: Path, ids: Ints, tokens: Ints, source: MemorySource, params: Encode) -> MemoryWriter:
    """Return the writer of the memory of one split, which knows what it will take on disk.

    Args:
        folder: of the split, such as ``data/encode/train``.
        ids: sentence ids, ``[sentences]``.
        tokens: number of source tokens of each sentence, ``[sentences]``.
        source: what will make the memory.
        params: the parameters of the stage.
    """
    return MemoryWriter(
        folder,
        ids,
        source.lengths(tokens),
        width=source.width,
        dtype=params.dtype,
        fingerprint=source.fingerprint,
        shard_tokens=params.shard_tokens,
        kept=source.kept,
    )


def encode_splits(
    source: MemorySource,
    sentences: Mapping[str, StoredSentences],
    params: Encode,
    compute: Compute,
    output: Path,
    processes: Processes = ALONE,
) -> dict[str, Any]:
    """Encode all sentences of some splits, and those of ``train`` again for each copy with dropout.

    Args:
        source: what makes the memory.
        sentences: the sources of each split.
        params: the parameters of the stage.
        compute: how to compute.
        output: folder for a folder of each split and copy; it is replaced when all of them are whole.
        processes: those that share the work, this one and the others.

    Returns:
        Sentences and tokens of each split, the width, and the bytes that all of it takes at most.

    Raises:
        StageformerError: as :func:`encode_split`.
    """
    with _replaced_by_all(output, processes) as new:
        # Folder of the memory, split, and number of the copy with dropout (0: without).
        planned = [(new / split, split, 0) for split in sentences]
        planned += [(dropout_copy(new, copy), "train", copy) for copy in range(1, params.dropout_copies + 1)]
        writers = [
            memory_writer(folder, sentences[split].ids, sentences[split].lengths, source, params)
            for folder, split, _ in planned
        ]
        needed = sum(writer.required_bytes for writer in writers)
        check_disk(new, needed)
        if processes.is_first:
            say(f"encode: the memory takes {needed / 2**20:,.1f} MiB in {output}")
            source.prepare(_parts(sentences), new / "answers")
        processes.wait()
        if not processes.is_first:
            source.prepare(_parts(sentences))  # what the first has found out
        for writer, (folder, split, copy) in zip(writers, planned, strict=True):
            encode_split(writer, sentences[split], source, params, compute, f"encode {folder.name}", processes, copy)
    sizes = {
        split: {"sentences": len(table.ids), "tokens": int(table.lengths.sum())} for split, table in sentences.items()
    }
    return sizes | {"d_model": source.width, "bytes": needed}


def _parts(sentences: Mapping[str, StoredSentences]) -> Iterator[Sentences]:
    """Yield the sentences of all splits, some at a time."""
    for stored in sentences.values():
        for start in range(0, len(stored), _SENTENCES_AT_ONCE):
            yield stored.part(range(start, min(start + _SENTENCES_AT_ONCE, len(stored))))


@contextmanager
def _replaced_by_all(folder: Path, processes: Processes) -> Iterator[Path]:
    """Yield the new folder that the first process makes for all, and replaces ``folder`` by when all are done."""
    if processes.is_first:
        with atomic_folder(folder, OF_THE_STAGE) as new:
            yield Path(processes.from_first(str(new)))
            processes.wait()
    else:
        yield Path(processes.from_first(""))
        processes.wait()


def encode_split(
    writer: MemoryWriter,
    sentences: Sentences | StoredSentences,
    source: MemorySource,
    params: Encode,
    compute: Compute,
    title: str,
    processes: Processes = ALONE,
    copy: int = 0,
) -> None:
    """Encode the sentences of a split, in batches of like length: without dropout (copy 0), or with that of a copy.

    Each thread encodes batches of its own, and of several processes each writes shards of its own: neither number
    changes a bit. No more than the maker, what its batches need, and one shard is in memory.

    Args:
        writer: of the memory of the split.
        sentences: the sources of the split; those of one shard are read at a time.
        source: what makes the memory.
        params: the parameters of the stage.
        compute: how to compute.
        title: of the progress bar.
        processes: those that share the shards out among them, this one and the others.
        copy: number of the copy with dropout; 0: without dropout.

    Raises:
        StageformerError: the disk has too little room, which is seen before the first byte is written; or a copy is
            asked of a maker without dropout.
        ValueError: the maker broke its promise about the number of vectors.
    """
    source.set_dropout(copy > 0)
    pool = make_pool(compute, pieces=compute.threads)
    own = sum(
        int(writer.lengths[rows.start : rows.stop].sum()) for rows in writer.plan[processes.rank :: processes.size]
    )
    hidden = None if processes.is_first else True

    @torch.no_grad()
    def encode(shard: MemoryShard, part: Sentences, batch: Ints) -> int:
        rows = batch + shard.rows.start
        # The first sentence names the batch, whichever thread or process computes it.
        seed = int(np.random.SeedSequence([params.seed, copy, int(rows[0])]).generate_state(1)[0])
        with random_draws(seed, compute), autocast(compute):
            values, present = source.encode(part.take(batch))
        shard.put(rows, values, present)
        return int(writer.lengths[rows].sum())

    with tqdm(total=own, desc=title, unit="token", unit_scale=True, disable=hidden) as bar:
        for shard in writer.shards(processes.rank, processes.size):
            part = sentences.part(shard.rows)
            batches = batches_by_length(part.lengths, params.batch_tokens)
            for tokens in pool.map(partial(encode, shard, part), batches):
                bar.update(tokens)
    pool.close()
