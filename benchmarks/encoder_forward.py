"""The encoder's forward pass alone, over the batches that the stage ``encode`` makes: what encoding cannot beat.

``python -m benchmarks.encoder_forward ROOT``, with the root of a pipeline whose stages up to ``train_encoder``
have run, prints the figures as JSON. ``benchmarks.pipeline_scale`` starts it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.configurations import Configuration
from benchmarks.flop import encoder_flop
from benchmarks.machine import describe, matrix_limit
from stageformer.artifacts.header import SPLITS
from stageformer.batching.batches import batches_by_length
from stageformer.batching.pairs import read_pairs
from stageformer.building.model_files import load_model
from stageformer.compute.device import make_pool, prepare
from stageformer.memory.encoding import memory_writer
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.encode import Encode
from stageformer.params.reading import read_yaml
from stageformer.text.vocabulary import load_vocabularies


def main(root: Path) -> dict[str, Any]:
    """Return the machine, its limit in GFLOP/s, and seconds and operations of the forward pass over all splits."""
    params = read_yaml(root / "params.yaml")
    encode = parse(Encode, params["encode"], "encode")
    compute = parse(Compute, params["compute"], "compute")
    prepare(compute)
    vocabularies = load_vocabularies(root / "data/vocab")
    model, _ = load_model(root / "data/train_encoder/encoder.pt", "encoder")
    encoder, config = model.encoder, model.config.encoder
    source = EncoderSource(encoder, vocabularies.source.pad_id)
    pool = make_pool(compute, pieces=compute.threads)

    @torch.no_grad()
    def forward(batch: tuple[Tensor, Tensor]) -> None:
        encoder(*batch)

    seconds, flop = 0.0, 0.0
    shape = Configuration(config.d_model, config.d_ff, config.num_heads, config.num_layers)
    for split in SPLITS:
        pairs = read_pairs(root / f"data/vocab/{split}.parquet", vocabularies)
        lengths = pairs.source.lengths
        batches = [
            pairs.source.take(part + shard.start).padded(vocabularies.source.pad_id)
            for shard in memory_writer(root, pairs.ids, lengths, source, encode).plan
            for part in batches_by_length(lengths[shard.start : shard.stop], encode.batch_tokens)
        ]
        started = time.perf_counter()
        for _ in pool.map(forward, batches):
            pass
        seconds += time.perf_counter() - started
        flop += encoder_flop(shape, lengths)
    pool.close()
    torch.set_num_threads(compute.threads)
    return {
        "machine": describe(),
        "seconds": seconds,
        "flop": flop,
        "gflop_per_second": matrix_limit(compute.precision),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
