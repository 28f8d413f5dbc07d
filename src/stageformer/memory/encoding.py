"""Run every sentence of a split through the encoder once, and keep the output in the memory store."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from stageformer.batching.batches import batches_by_length
from stageformer.batching.pairs import StoredSentences
from stageformer.batching.sentences import Ints, Sentences
from stageformer.compute.device import make_pool
from stageformer.compute.precision import autocast, random_draws
from stageformer.compute.processes import ALONE, Processes
from stageformer.memory.writer import MemoryShard, MemoryWriter
from stageformer.model.encoder import Encoder
from stageformer.params.compute import Compute
from stageformer.params.encode import Encode


def memory_writer(
    folder: Path, ids: Ints, lengths: Ints, encoder: Encoder, fingerprint: str, params: Encode
) -> MemoryWriter:
    """Return the writer of the memory of one split, which knows what it will take on disk.

    Args:
        folder: of the split, such as ``data/encode/train``.
        ids: sentence ids, ``[sentences]``.
        lengths: number of source tokens of each sentence, ``[sentences]``.
        encoder: what will make the memory.
        fingerprint: names the encoder.
        params: the parameters of the stage.
    """
    return MemoryWriter(
        folder,
        ids,
        lengths,
        d_model=encoder.embedding.config.d_model,
        dtype=params.dtype,
        fingerprint=fingerprint,
        shard_tokens=params.shard_tokens,
    )


def encode_split(
    writer: MemoryWriter,
    sentences: Sentences | StoredSentences,
    encoder: Encoder,
    params: Encode,
    compute: Compute,
    pad_id: int,
    title: str,
    processes: Processes = ALONE,
    copy: int = 0,
) -> None:
    """Encode the sentences of a split, in batches of like length: without dropout (copy 0), or with that of a copy.

    Each thread encodes batches of its own, and of several processes each writes shards of its own: neither number
    changes a bit. In memory stand the encoder, what its batches need, and one shard.

    Args:
        writer: of the memory of the split.
        sentences: the sources of the split; those of one shard are read at a time.
        encoder: on the device to compute on.
        params: the parameters of the stage.
        compute: how to compute.
        pad_id: the id that fills a batch up.
        title: of the progress bar.
        processes: those that share the shards out among them, this one and the others.
        copy: number of the copy with dropout; 0: without dropout.

    Raises:
        StageformerError: the disk has too little room, which is seen before the first byte is written.
    """
    device = next(encoder.parameters()).device
    encoder.train(copy > 0)
    pool = make_pool(compute, pieces=compute.threads)
    own = sum(
        int(writer.lengths[rows.start : rows.stop].sum()) for rows in writer.plan[processes.rank :: processes.size]
    )
    hidden = None if processes.is_first else True

    @torch.no_grad()
    def encode(shard: MemoryShard, sources: Sentences, batch: Ints) -> int:
        ids, present = sources.take(batch).padded(pad_id)
        rows = batch + shard.rows.start
        # The first sentence names the batch, whichever thread or process computes it.
        seed = int(np.random.SeedSequence([params.seed, copy, int(rows[0])]).generate_state(1)[0])
        with random_draws(seed, compute), autocast(compute):
            memory = encoder(ids.to(device), present.to(device))
        shard.put(rows, memory)
        return int(sources.lengths[batch].sum())

    with tqdm(total=own, desc=title, unit="token", unit_scale=True, disable=hidden) as bar:
        for shard in writer.shards(processes.rank, processes.size):
            sources = sentences.part(shard.rows)
            batches = batches_by_length(sources.lengths, params.batch_tokens)
            for tokens in pool.map(partial(encode, shard, sources), batches):
                bar.update(tokens)
    pool.close()
