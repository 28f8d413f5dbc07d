import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from stageformer.batching.sentences import Sentences
from stageformer.compute.device import make_pool
from stageformer.decoding.rules import Batch, Rules
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource
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
        ids, present = Sentences.of(sources).padded(PAD)
        targets, wanted = Sentences.of(reversed_targets(sources)).padded(PAD)
        logits = model.decoder.logits(model(ids, targets[:, :-1], present))
        loss = cross_entropy(logits[wanted[:, 1:]], targets[:, 1:][wanted[:, 1:]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="session")
def rules():
    return Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=1.5, max_length_offset=3)


@pytest.fixture(scope="session")
def sources(model):
    return EncodedMemory(EncoderSource(model.encoder, PAD), Sentences.of(random_sources(60, seed=1_000, longest=12)))


@pytest.fixture(scope="session")
def batch_of():
    """A function that makes a batch: of some sources, or of all."""

    def make(sources, rows=None, prefixes=None):
        rows = np.arange(len(sources.lengths)) if rows is None else np.asarray(rows)
        return Batch(*sources.batch(rows), prefixes, rows)

    return make


@pytest.fixture
def pool_of(make_compute):
    """A function that starts so many threads."""
    started = []

    def start(threads):
        started.append(make_pool(make_compute(threads=threads), pieces=threads))
        return started[-1]

    yield start
    for pool in started:
        pool.close()


def undecided_model(vocabulary, d_model, seed, max_length):
    """A model without training: all tokens are about as probable."""
    torch.manual_seed(seed)
    side = EmbeddingConfig(vocabulary, d_model, max_length=max_length)
    stack = StackConfig(d_model, 1, 2, 16)
    return Transformer(TransformerConfig(side, side, stack, stack)).eval()


@pytest.fixture(scope="session")
def toy():
    """A model of a vocabulary of three words, small enough to score everything that it can say."""
    model = undecided_model(7, 8, seed=3, max_length=10)
    ids = [[4, EOS], [5, 6, EOS], [6, 4, 5, EOS], [5, 5, EOS], [6, EOS], [4, 4, 6, EOS]]
    return model, EncodedMemory(EncoderSource(model.encoder, PAD), Sentences.of(ids))
