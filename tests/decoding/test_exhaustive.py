"""Beam search with a beam that holds everything, against the list of all that a toy model can say."""

import itertools

import pytest
import torch

from stageformer.batching.sentences import Sentences
from stageformer.decoding.beam import beam_search
from stageformer.decoding.forced import log_probabilities
from stageformer.decoding.rules import Rules
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource

PAD, BOS, EOS, UNK = range(4)
LONGEST = 4
MIN_LENGTH_RATIO = 0.8
EVERYTHING = [list(words) for n in range(LONGEST) for words in itertools.product((4, 5, 6), repeat=n)]


@pytest.fixture
def ranking(toy, pool_of):
    """A function that ranks all that the model can say of a source, where it is allowed, by score."""
    model, _ = toy

    def rank(source, divisor, is_allowed):
        allowed = [words for words in EVERYTHING if is_allowed(words)]
        alike = EncodedMemory(EncoderSource(model.encoder, PAD), Sentences.of([source] * len(allowed)))
        targets = [[BOS, *words, EOS] for words in allowed]
        totals = log_probabilities(model.decoder, alike, targets, 1_000, None, pool_of(1))
        scores = [total / divisor(len(words) + 1) for words, total in zip(allowed, totals, strict=True)]
        return sorted(zip(scores, allowed, strict=True), reverse=True)

    return rank


@pytest.mark.parametrize("prefixes", [None, [[], [5], [5, 4], [6, 6, 6], [4], []]], ids=["free", "prefixed"])
@pytest.mark.parametrize("min_length_ratio", [0.0, MIN_LENGTH_RATIO])
@pytest.mark.parametrize(
    ("alpha", "normalisation"), [(0.0, "paper"), (0.6, "paper"), (2.0, "paper"), (1.0, "length"), (0.7, "length")]
)
def test_the_nbest_list_is_that_of_all_there_is(
    toy, batch_of, ranking, alpha, normalisation, min_length_ratio, prefixes
):
    model, sources = toy
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), 0.0, LONGEST, min_length_ratio)
    found = beam_search(
        model.decoder, batch_of(sources, prefixes=prefixes), rules, beam_size=120, nbest=120, length_penalty=alpha,
        length_normalisation=normalisation,
    )  # fmt: skip
    for row, source in enumerate(sources.sentences):
        prefix = prefixes[row] if prefixes else []
        shortest = min(int(min_length_ratio * len(source)), LONGEST)
        expected = ranking(
            source,
            lambda length: length**alpha if normalisation == "length" else ((5 + length) / 6) ** alpha,
            lambda words: words[: len(prefix)] == prefix and len(words) + 1 >= shortest,  # noqa: B023
        )
        assert [h.ids for h in found[row]] == [words for _, words in expected]
        torch.testing.assert_close([h.score for h in found[row]], [score for score, _ in expected], atol=1e-4, rtol=0)


def test_the_best_is_the_same_when_it_alone_is_asked_for(toy, batch_of):
    model, sources = toy
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), 0.0, LONGEST)
    one, all_of_them = (
        beam_search(model.decoder, batch_of(sources), rules, beam_size=120, nbest=nbest, length_penalty=2.0)
        for nbest in (1, 120)
    )
    assert [best.ids for (best,) in one] == [best.ids for best, *_ in all_of_them]
