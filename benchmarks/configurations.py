"""What is measured: two sizes of the Transformer, and the parameters of the pipeline for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.params.groups import check
from stageformer.params.recipes import load_recipe

ROOT = Path(__file__).parent.parent
SHARED_DATA = Path(os.environ.get("STAGEFORMER_SHARED_DATA", "../shared/data"))
"""Folder of the corpora, which are not part of the repository."""
LEARNING_RATE = 1e-3
DROPOUT = 0.3
LABEL_SMOOTHING = 0.1
CLIP_NORM = 1.0
ADAM_BETAS = (0.9, 0.98)
ADAM_EPSILON = 1e-9
THROW_AWAY_LAYERS = 2
"""Layers of the decoder that only trains the encoder."""
MAX_LENGTH = 512
"""Positions in the table of every model."""


@dataclass(frozen=True)
class Configuration:
    """The size of a Transformer, with as many layers in the encoder as in the decoder."""

    d_model: int
    d_ff: int
    num_heads: int
    num_layers: int


CONFIGURATIONS = {
    "tiny": Configuration(d_model=128, d_ff=256, num_heads=4, num_layers=4),
    "small": Configuration(d_model=256, d_ff=1024, num_heads=8, num_layers=3),
}


def parameters(configuration: Configuration, changes: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Return the parameters of the whole pipeline for one size, trained jointly by default.

    Args:
        configuration: the size.
        changes: further values, by the dotted names that ``dvc exp run -S`` knows.

    Raises:
        StageformerError: there is no such parameter, or its value is not allowed.
    """
    values: dict[str, Any] = {
        "tokenize.source.vocabulary_size": 10_000,
        "embed.d_model": configuration.d_model,
        "embed.max_length": MAX_LENGTH,
        "model.num_layers": configuration.num_layers,
        "model.num_heads": configuration.num_heads,
        "model.d_ff": configuration.d_ff,
        "model.norm": "post",
        "model.residual_dropout": DROPOUT,
        "model.embedding_dropout": DROPOUT,
        "model.attention_dropout": 0.0,
        "train_decoder.num_layers": None,
        "train_encoder.way": "joint",
        "train_encoder.decoder_num_layers": THROW_AWAY_LAYERS,
    }
    for stage in ("train_encoder", "train_decoder"):
        values |= {
            f"{stage}.training.learning_rate": LEARNING_RATE,
            f"{stage}.training.optimizer": "adam",
            f"{stage}.training.adam_beta1": ADAM_BETAS[0],
            f"{stage}.training.adam_beta2": ADAM_BETAS[1],
            f"{stage}.training.adam_epsilon": ADAM_EPSILON,
            f"{stage}.training.clip_norm": CLIP_NORM,
            f"{stage}.training.label_smoothing": LABEL_SMOOTHING,
        }
    params = load_recipe("default", ROOT / "recipes")
    for name, value in (values | dict(changes or {})).items():
        *groups, key = name.split(".")
        group = params
        for part in groups:
            group = group.setdefault(part, {})
        group[key] = value
    check(params)
    return params
