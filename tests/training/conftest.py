"""Parameters and a toy corpus for the tests of training."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Sentences
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer
from stageformer.params.compute import Compute
from stageformer.params.training import Training

PAD, BOS, EOS, UNK, NUM_SPECIAL = 0, 1, 2, 3, 4
VOCABULARY = 14

DEFAULTS = {
    "batch_tokens": 200,
    "max_updates": 10,
    "learning_rate": 0.01,
    "schedule": "constant",
    "warmup_updates": 0,
    "optimizer": "adam",
    "muon_momentum": 0.95,
    "muon_iterations": 5,
    "adam_beta1": 0.9,
    "adam_beta2": 0.98,
    "adam_epsilon": 1e-9,
    "weight_decay": 0.0,
    "clip_norm": 1.0,
    "label_smoothing": 0.1,
    "validate_every": 5,
    "keep": "average",
    "average_checkpoints": 1,
    "patience": None,
    "seed": 1,
}


@pytest.fixture
def training() -> Callable[..., Training]:
    """Make training parameters: small ones, but for what is given."""
    return lambda **changes: Training(**(DEFAULTS | changes))


@pytest.fixture
def compute(make_compute: Callable[..., Compute]) -> Compute:
    return make_compute()


@pytest.fixture
def copy_corpus() -> Callable[..., dict[str, Pairs]]:
    """Make sentences of 2 to 6 random tokens; the target is the source."""

    def make(train: int = 400, valid: int = 40) -> dict[str, Pairs]:
        generator = np.random.default_rng(0)

        def pairs(count: int) -> Pairs:
            words = [
                generator.integers(NUM_SPECIAL, VOCABULARY, generator.integers(2, 7)).tolist() for _ in range(count)
            ]
            sources, targets = [[*w, EOS] for w in words], [[BOS, *w, EOS] for w in words]
            return Pairs(np.arange(count), Sentences.of(sources), Sentences.of(targets))

        return {"train": pairs(train), "valid": pairs(valid)}

    return make


@pytest.fixture
def transformer() -> Callable[..., Transformer]:
    """Make a small pre-norm model from a seed."""

    def make(seed: int = 0, dropout: float = 0.0, d_model: int = 16, num_layers: int = 1) -> Transformer:
        torch.manual_seed(seed)
        stack = StackConfig(
            d_model, num_layers, 2, 32, norm="pre", residual_dropout=dropout, embedding_dropout=dropout,
            attention_dropout=dropout,
        )
        embedding = EmbeddingConfig(VOCABULARY, d_model, max_length=16)
        return Transformer(TransformerConfig(embedding, embedding, stack, stack, share_embeddings=True))

    return make
