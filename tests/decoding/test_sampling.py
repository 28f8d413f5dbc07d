"""Sampling: what is drawn has the distribution that the model, the temperature, top_k and top_p say."""

import dataclasses
from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch

from stageformer.decoding.corpus import translate_corpus
from stageformer.decoding.forced import log_probabilities
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Batch
from stageformer.decoding.sampling import sample

PAD, BOS, EOS, UNK = range(4)
FORBIDDEN = [PAD, BOS, UNK]
DRAWS = 4_000


def ids_of(found):
    return [[h.ids for h in translations] for translations in found]


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-6}])
def test_drawing_from_the_most_probable_alone_is_greedy_search(model, sources, rules, batch_of, options):
    found = sample(model.decoder, batch_of(sources), rules, seed=5, samples=2, **options)
    plain = greedy(model.decoder, batch_of(sources), rules)
    assert ids_of(found) == [[h.ids] * 2 for (h,) in plain]
    expected = np.array([[h.score] * 2 for (h,) in plain])
    np.testing.assert_allclose([[h.score for h in one] for one in found], expected, atol=1e-4)


def assert_drawn_from(counts, probabilities):
    """Pearson's statistic, of at most 3 degrees of freedom: above 16.3 for one seed in a thousand."""
    possible = probabilities > 0
    assert counts[~possible].sum() == 0
    expected = DRAWS * probabilities[possible]
    assert ((counts[possible] - expected) ** 2 / expected).sum() < 16.3


@pytest.fixture
def draw(toy, rules, batch_of):
    """A function that returns the logits of the first token of a sentence, and how often each was drawn."""
    model, sources = toy
    batch = batch_of(sources, [2])
    with torch.no_grad():
        logits = model.decoder.logits(model.decoder(torch.tensor([[BOS]]), batch.memory, batch.present))[0, 0]
    logits[FORBIDDEN] = -torch.inf
    short = dataclasses.replace(rules, max_length_ratio=0.0, max_length_offset=2)

    def count(**options):
        (found,) = sample(model.decoder, batch, short, samples=DRAWS, seed=11, **options)
        counts = Counter((h.ids or [EOS])[0] for h in found)
        return logits, np.array([counts[i] for i in range(len(logits))])

    return count


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_tokens_are_drawn_from_the_softmax_at_a_temperature(draw, temperature):
    logits, counts = draw(temperature=temperature)
    assert_drawn_from(counts, (logits / temperature).softmax(-1).numpy())


@pytest.mark.parametrize("top_k", [1, 2, 3, 100])
def test_top_k_draws_from_the_k_most_probable(draw, top_k):
    logits, counts = draw(top_k=top_k)
    kept = logits.clone()
    kept[logits.argsort(descending=True)[top_k:]] = -torch.inf
    assert_drawn_from(counts, kept.softmax(-1).numpy())


@pytest.mark.parametrize("top_k", [0, 3])
@pytest.mark.parametrize("top_p", [0.3, 0.6, 0.9, 1.0])
def test_top_p_draws_from_the_fewest_that_reach_it(draw, top_p, top_k):
    logits, counts = draw(top_p=top_p, top_k=top_k, temperature=1.3)
    order = logits.argsort(descending=True).tolist()[: top_k or None]
    kept = torch.full_like(logits, -torch.inf)
    kept[order] = logits[order] / 1.3
    probabilities = kept.softmax(-1)
    nucleus, total = [], 0.0
    for token in order:
        if total < top_p:
            nucleus.append(token)
        total += float(probabilities[token])
    expected = torch.zeros_like(logits)
    expected[nucleus] = probabilities[nucleus] / probabilities[nucleus].sum()
    assert_drawn_from(counts, expected.numpy())
    assert len(nucleus) > 1 or top_p < 0.6


def test_the_seed_decides(model, sources, rules, batch_of):
    draws = partial(sample, model.decoder, batch_of(sources), rules, samples=2, temperature=1.5)
    assert draws(seed=1) == draws(seed=1)
    one, other = ids_of(draws(seed=1)), ids_of(draws(seed=2))
    assert sum(a == b for a, b in zip(one, other, strict=True)) < len(one) / 2
    assert sum(first == second for first, second in one) < len(one) / 2, "samples of a sentence differ"


@pytest.mark.parametrize(("batch_tokens", "threads"), [(1, 1), (60, 2), (10_000, 1)])
def test_neither_batches_nor_their_order_matter(model, sources, rules, batch_of, pool_of, batch_tokens, threads):
    search = partial(sample, model.decoder, rules=rules, seed=4, temperature=1.5)
    expected = ids_of(search(batch_of(sources)))
    assert ids_of(translate_corpus(sources, search, batch_tokens, None, pool_of(threads))) == expected
    order = np.random.default_rng(0).permutation(len(expected))
    assert ids_of(search(batch_of(sources, order))) == [expected[row] for row in order]


def test_alike_sentences_draw_each_their_own(model, sources, rules):
    batch = Batch(*sources.batch(np.array([5, 5, 5, 5])))
    found = sample(model.decoder, batch, rules, seed=1, temperature=3.0)
    assert len({tuple(h.ids) for (h,) in found}) == 4


def test_scores_are_those_of_the_model_as_it_is(model, sources, rules, batch_of, pool_of):
    options = {"temperature": 2.0, "top_k": 5, "top_p": 0.9}
    found = sample(model.decoder, batch_of(sources), rules, seed=3, samples=3, **options)
    for place in range(3):
        targets = [[BOS, *translations[place].ids, EOS] for translations in found]
        forced = log_probabilities(model.decoder, sources, targets, 300, None, pool_of(1))
        np.testing.assert_allclose([one[place].log_probability for one in found], forced, atol=2e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.1}, "top_p is 1.1"),
    ],
)
def test_impossible_options_are_refused(model, sources, rules, batch_of, options, message):
    with pytest.raises(ValueError, match=message):
        sample(model.decoder, batch_of(sources), rules, seed=1, **options)
