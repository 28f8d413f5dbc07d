"""Run every sentence of a split through the encoder once, and keep the output in the memory store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from stageformer.batches import batches_by_length
from stageformer.memory_writer import MemoryWriter
from stageformer.model.encoder import Encoder
from stageformer.pairs import Ints, Pairs
from stageformer.params.compute import Compute
from stageformer.params.encode import Encode
from stageformer.training.distribution import ALONE, Processes
from stageformer.training.numerics import autocast, random_draws
from stageformer.training.workers import Workers


def memory_writer(folder: Path, pairs: Pairs, encoder: Encoder, fingerprint: str, params: Encode) -> MemoryWriter:
    """Return the writer of the memory of one split, which knows what it will take on disk."""
    return MemoryWriter(
        folder,
        pairs.ids,
        pairs.source.lengths,
        d_model=encoder.embedding.config.d_model,
        dtype=params.dtype,
        fingerprint=fingerprint,
        shard_tokens=params.shard_tokens,
    )


def encode_split(
    writer: MemoryWriter,
    pairs: Pairs,
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
    changes a bit.

    Raises:
        StageformerError: the disk has too little room, which is seen before the first byte is written.
    """
    device = next(encoder.parameters()).device
    encoder.train(copy > 0)
    lengths = pairs.source.lengths
    workers = Workers(compute, pieces=compute.threads)
    own = sum(int(lengths[rows.start : rows.stop].sum()) for rows in writer.plan[processes.rank :: processes.size])
    hidden = None if processes.is_first else True
    with tqdm(total=own, desc=title, unit="token", unit_scale=True, disable=hidden) as bar:
        for shard in writer.shards(processes.rank, processes.size):

            @torch.no_grad()
            def encode(rows: Ints) -> int:
                ids, present = pairs.source.padded(rows, pad_id)
                # The first sentence names the batch, whichever thread or process computes it.
                seed = int(np.random.SeedSequence([params.seed, copy, int(rows[0])]).generate_state(1)[0])
                with random_draws(seed, compute), autocast(compute):
                    memory = encoder(ids.to(device), present.to(device))
                shard.put(rows, memory)  # noqa: B023  # all of a shard is encoded before the next one is begun
                return int(lengths[rows].sum())

            first = shard.rows.start
            batches = batches_by_length(lengths[first : shard.rows.stop], params.batch_tokens)
            for tokens in workers.map(encode, [np.asarray(part + first) for part in batches]):
                bar.update(tokens)
    workers.close()
