"""Lengths and prefixes that every search has to keep."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch

from stageformer.batching.sentences import Sentences
from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import translate_corpus
from stageformer.decoding.forced import log_probabilities
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Rules, penalty
from stageformer.decoding.sampling import sample
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource

PAD, BOS, EOS, UNK = range(4)
SEARCHES = {
    "greedy": greedy,
    "beam": partial(beam_search, beam_size=4, length_penalty=0.6, nbest=4),
    "sampling": partial(sample, seed=1, samples=3),
}


@pytest.fixture(params=SEARCHES)
def search(request, model):
    return partial(SEARCHES[request.param], model.decoder)


@pytest.fixture
def prefixes(sources):
    generator = np.random.default_rng(3)
    return [generator.integers(4, 14, length % 4).tolist() for length in range(len(sources.lengths))]


def test_a_prefix_is_kept_and_counts(search, model, sources, rules, batch_of, prefixes, pool_of):
    found = search(batch_of(sources, prefixes=prefixes), rules)
    free = search(batch_of(sources), rules)
    for prefix, translations in zip(prefixes, found, strict=True):
        assert all(h.ids[: len(prefix)] == prefix for h in translations)
    assert [h for h, prefix in zip(found, prefixes, strict=True) if not prefix], "some have none"
    for one, other, prefix in zip(found, free, prefixes, strict=True):
        if not prefix:
            assert [h.ids for h in one] == [h.ids for h in other]
    targets = [[BOS, *translations[-1].ids, EOS] for translations in found]
    forced = log_probabilities(model.decoder, sources, targets, 1_000, None, pool_of(1))
    np.testing.assert_allclose([translations[-1].log_probability for translations in found], forced, atol=1e-4)


def test_a_prefix_comes_along_with_its_sentence(search, sources, rules, batch_of, prefixes, pool_of):
    together = search(batch_of(sources, prefixes=prefixes), rules)
    found = translate_corpus(sources, lambda batch: search(batch, rules), 50, None, pool_of(2), prefixes)
    assert [[h.ids for h in one] for one in found] == [[h.ids for h in one] for one in together]


def test_greedy_with_its_own_beginning_as_the_prefix_continues_as_before(model, sources, rules, batch_of):
    free = greedy(model.decoder, batch_of(sources), rules)
    prefixes = [h.ids[: row % 5] for row, (h,) in enumerate(free)]
    found = greedy(model.decoder, batch_of(sources, prefixes=prefixes), rules)
    assert [h.ids for (h,) in found] == [h.ids for (h,) in free]
    np.testing.assert_allclose([h.score for (h,) in found], [h.score for (h,) in free], atol=1e-4)


def test_a_long_prefix_makes_room_for_itself(search, sources, rules, batch_of):
    short = dataclasses.replace(rules, max_length_ratio=0.0, max_length_offset=2)
    prefixes = [[4, 5, 6, 7, 8]] + [[]] * (len(sources.lengths) - 1)
    found = search(batch_of(sources, prefixes=prefixes), short)
    assert {tuple(h.ids) for h in found[0]} == {(4, 5, 6, 7, 8)}, "the end follows at once"
    assert max(len(h.ids) for translations in found[1:] for h in translations) == 1


def test_a_prefix_without_room_or_with_an_end_is_refused(search, sources, rules, batch_of):
    with pytest.raises(ValueError, match="a prefix has 40 tokens, of 40 positions"):
        search(batch_of(sources, [0], prefixes=[[4] * 40]), rules)
    with pytest.raises(ValueError, match="a prefix holds <eos>"):
        search(batch_of(sources, [0], prefixes=[[4, EOS, 5]]), rules)


def test_translations_are_neither_shorter_nor_longer_than_the_rules_say(search, sources, rules, batch_of):
    def within(rules: Rules) -> list[bool]:
        return [
            int(0.9 * length) <= len(hypothesis.ids) + 1 <= length + 1
            for length, translations in zip(sources.lengths.tolist(), search(batch_of(sources), rules), strict=True)
            for hypothesis in translations
        ]

    assert not all(within(rules)), "the bounds do bind"
    assert all(within(dataclasses.replace(rules, min_length_ratio=0.9, max_length_ratio=1.0, max_length_offset=1)))


def test_a_smallest_length_equal_to_the_largest_gives_one_length(search, sources, batch_of):
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), 0.0, 6, min_length_ratio=100.0)
    found = search(batch_of(sources), rules)
    assert {len(h.ids) for translations in found for h in translations} == {5}, "6 tokens with <eos>"


def test_the_largest_length_is_a_ratio_plus_an_offset_up_to_the_positions(model):
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=1.5, max_length_offset=3)
    assert rules.max_lengths(torch.tensor([1, 2, 5, 100]), model.decoder).tolist() == [4, 6, 10, 40]


def test_the_smallest_length_is_a_ratio_rounded_down():
    rules = Rules(BOS, EOS, (), max_length_ratio=1.5, max_length_offset=3, min_length_ratio=0.6)
    assert rules.min_lengths(torch.tensor([1, 2, 5, 9])).tolist() == [0, 1, 3, 5]


def test_a_translation_can_be_as_long_as_the_table_of_positions(model, rules, batch_of):
    endless = dataclasses.replace(rules, max_length_ratio=100.0, min_length_ratio=100.0)
    sources = EncodedMemory(EncoderSource(model.encoder, PAD), Sentences.of([[4, 5, EOS]]))
    ((hypothesis,),) = greedy(model.decoder, batch_of(sources), endless)
    assert len(hypothesis.ids) == 39


def test_penalties():
    assert float(penalty(7, 0.6)) == pytest.approx(2**0.6)
    assert penalty(torch.tensor([1, 13]), 1.0).tolist() == [1.0, 3.0]
    assert penalty(torch.tensor([1, 4]), 0.5, "length").tolist() == [1.0, 2.0]
    assert float(penalty(7, 1.0, "length")) == 7.0
