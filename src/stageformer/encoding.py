"""Run every sentence of a split through the encoder once, and keep the output in the memory store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from stageformer.batches import batches_by_length
from stageformer.memory_writer import MemoryWriter
from stageformer.model.encoder import Encoder
from stageformer.pairs import Pairs
from stageformer.params.encode import Encode


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


@torch.no_grad()
def encode_split(
    writer: MemoryWriter, pairs: Pairs, encoder: Encoder, params: Encode, pad_id: int, device: torch.device, title: str
) -> None:
    """Encode the sentences of a split, in batches of like length, without dropout.

    Raises:
        StageformerError: the disk has too little room, which is seen before the first byte is written.
    """
    encoder.eval().to(device)
    lengths = pairs.source.lengths
    with tqdm(total=int(lengths.sum()), desc=title, unit="token", unit_scale=True, disable=None) as bar:
        for shard in writer.shards():
            first = shard.rows.start
            for part in batches_by_length(lengths[first : shard.rows.stop], params.batch_tokens):
                rows = np.asarray(part + first)
                ids, present = pairs.source.padded(rows, pad_id)
                shard.put(rows, encoder(ids.to(device), present.to(device)))
                bar.update(int(lengths[rows].sum()))
