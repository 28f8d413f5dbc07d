import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from stageformer.decoding.rules import Rules
from stageformer.decoding.sources import EncodedSources, pad
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer

PAD, BOS, EOS, UNK = range(4)
VOCABULARY = 14


def small_model(vocabulary=VOCABULARY, max_length=40, **stack):
    torch.manual_seed(1)
    side = EmbeddingConfig(vocabulary, 32, max_length=max_length)
    layers = StackConfig(32, 2, 4, 64, norm="pre", **stack)
    return Transformer(TransformerConfig(side, side, layers, layers))


def random_sources(number, seed, longest=8):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, longest + 1, number)
    return [[*generator.integers(4, VOCABULARY, length).tolist(), EOS] for length in lengths]


def reversed_targets(sources):
    return [[BOS, *source[-2::-1], EOS] for source in sources]


@pytest.fixture(scope="session")
def model():
    """A model that has half learnt to reverse: sure of some sentences, torn on others."""
    model = small_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for update in range(150):
        sources = random_sources(64, update)
        ids, present = pad(sources, PAD)
        targets, wanted = pad(reversed_targets(sources), PAD)
        scores = model.decoder.project(model(ids, targets[:, :-1], present))
        loss = cross_entropy(scores[wanted[:, 1:]], targets[:, 1:][wanted[:, 1:]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="session")
def rules():
    return Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=1.5, max_length_offset=3)


@pytest.fixture(scope="session")
def sources(model):
    return EncodedSources(model.encoder, random_sources(60, seed=1_000, longest=12), PAD, torch.device("cpu"))
