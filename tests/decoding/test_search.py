import dataclasses
import itertools
from functools import partial

import numpy as np
import pytest
import torch

from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import translate_corpus
from stageformer.decoding.forced import log_probabilities
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Rules, penalty
from stageformer.decoding.sources import EncodedSources
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer

PAD, BOS, EOS, UNK = range(4)
TOLERANCE = 1e-4


def searches(model, rules):
    return {
        "greedy": partial(greedy, model.decoder, rules=rules),
        "beam": partial(beam_search, model.decoder, rules=rules, beam_size=4, length_penalty=0.6),
    }


def all_rows(sources):
    return np.arange(len(sources.lengths))


def greedy_without_cache(decoder, memory, present, rules):
    """Recompute the whole prefix at every step, one sentence at a time."""
    found = []
    for row, limit in enumerate(rules.max_lengths(present.sum(1), decoder).tolist()):
        ids, total = [BOS], 0.0
        while ids[-1] != EOS:
            hidden = decoder(torch.tensor([ids]), memory[row : row + 1], present[row : row + 1])[0, -1]
            of_tokens = decoder.project(hidden).log_softmax(-1)
            allowed = [EOS] if len(ids) == limit else [i for i in range(len(of_tokens)) if i not in (PAD, BOS, UNK)]
            ids.append(max(allowed, key=of_tokens.__getitem__))
            total += float(of_tokens[ids[-1]])
        found.append((ids[1:-1], total))
    return found


@torch.no_grad()
def test_greedy_with_a_cache_is_greedy_without(model, sources, rules):
    memory, present = sources.batch(all_rows(sources))
    found = greedy(model.decoder, memory, present, rules)
    expected = greedy_without_cache(model.decoder, memory, present, rules)
    assert [h.ids for h in found] == [ids for ids, _ in expected]
    np.testing.assert_allclose([h.score for h in found], [total for _, total in expected], atol=TOLERANCE)
    assert len({len(h.ids) for h in found}) > 5, "sentences of different lengths leave at different steps"


@pytest.mark.parametrize("length_penalty", [0.0, 0.6])
def test_a_beam_of_one_is_greedy_search(model, sources, rules, length_penalty):
    memory, present = sources.batch(all_rows(sources))
    plain = greedy(model.decoder, memory, present, rules)
    beam = beam_search(model.decoder, memory, present, rules, beam_size=1, length_penalty=length_penalty)
    assert [h.ids for h in beam] == [h.ids for h in plain]
    lengths = torch.tensor([len(h.ids) + 1 for h in plain])
    expected = torch.tensor([h.score for h in plain]) / penalty(lengths, length_penalty)
    np.testing.assert_allclose([h.score for h in beam], expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["greedy", "beam"])
def test_a_batch_gives_what_its_sentences_give_alone(model, sources, rules, name):
    search = searches(model, rules)[name]
    together = search(*sources.batch(all_rows(sources)))
    alone = [search(*sources.batch(np.array([row])))[0] for row in all_rows(sources)]
    assert [h.ids for h in together] == [h.ids for h in alone]
    np.testing.assert_allclose([h.score for h in together], [h.score for h in alone], atol=TOLERANCE)


@pytest.mark.parametrize("name", ["greedy", "beam"])
def test_a_corpus_comes_back_in_its_order_whatever_the_batches(model, sources, rules, name):
    search = searches(model, rules)[name]
    together = search(*sources.batch(all_rows(sources)))
    for batch_tokens in (1, 50, 10_000):
        found = translate_corpus(sources, search, batch_tokens, "test")
        assert [h.ids for h in found] == [h.ids for h in together]


@pytest.mark.parametrize("name", ["greedy", "beam"])
def test_scores_are_those_of_forced_decoding(model, sources, rules, name):
    found = searches(model, rules)[name](*sources.batch(all_rows(sources)))
    targets = [[BOS, *h.ids, EOS] for h in found]
    forced = log_probabilities(model.decoder, sources, targets, 200, "test")
    lengths = torch.tensor([len(h.ids) + 1 for h in found])
    divisor = penalty(lengths, 0.6 if name == "beam" else 0.0)
    np.testing.assert_allclose([h.score for h in found], forced / divisor.numpy(), atol=TOLERANCE)


def test_a_wider_beam_finds_better_translations(model, sources, rules):
    memory, present = sources.batch(all_rows(sources))
    scores = [
        sum(h.score for h in beam_search(model.decoder, memory, present, rules, beam_size=size, length_penalty=0.0))
        for size in (1, 4, 12)
    ]
    assert scores[0] < scores[1] - 0.1
    assert scores[1] < scores[2] + 1e-3


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_a_beam_that_holds_everything_finds_the_best_of_all(length_penalty):
    torch.manual_seed(3)
    side = EmbeddingConfig(7, 8, max_length=10)
    stack = StackConfig(8, 1, 2, 16)
    model = Transformer(TransformerConfig(side, side, stack, stack)).eval()
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=0.0, max_length_offset=4)
    ids = [[4, EOS], [5, 6, EOS], [6, 4, 5, EOS], [5, 5, EOS], [6, EOS], [4, 4, 6, EOS]]
    sources = EncodedSources(model.encoder, ids, PAD, torch.device("cpu"))
    everything = [[BOS, *words, EOS] for n in range(4) for words in itertools.product((4, 5, 6), repeat=n)]
    found = beam_search(
        model.decoder, *sources.batch(np.arange(len(ids))), rules, beam_size=120, length_penalty=length_penalty
    )
    for row, source in enumerate(ids):
        alike = EncodedSources(model.encoder, [source] * len(everything), PAD, torch.device("cpu"))
        scores = log_probabilities(model.decoder, alike, everything, 1_000, "test")
        scores = scores / penalty(torch.tensor([len(target) - 1 for target in everything]), length_penalty).numpy()
        assert found[row].score == pytest.approx(scores.max(), abs=TOLERANCE)
        assert [BOS, *found[row].ids, EOS] == everything[scores.argmax()]


def beam_to_the_end(decoder, memory, present, rules, beam_size, alpha):
    """Beam search of one sentence in plain Python, that never stops early and recomputes every prefix."""
    limit = int(rules.max_lengths(present.sum(1), decoder)[0])
    alive, finished, places = [([BOS], 0.0)], [], beam_size
    for length in range(1, limit + 1):
        hidden = decoder(torch.tensor([ids for ids, _ in alive]), memory.expand(len(alive), -1, -1), present)[:, -1]
        of_tokens = decoder.project(hidden).log_softmax(-1)
        of_tokens[:, [PAD, BOS, UNK]] = -torch.inf
        if length == limit:
            of_tokens[:, [i for i in range(of_tokens.size(1)) if i != EOS]] = -torch.inf
        totals = torch.tensor([total for _, total in alive])[:, None] + of_tokens
        best = totals.flatten().topk(min(places, int(totals.isfinite().sum())))
        grown = [
            ([*alive[index // of_tokens.size(1)][0], index % of_tokens.size(1)], total)
            for index, total in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
        finished += [(ids, total / ((5 + length) / 6) ** alpha) for ids, total in grown if ids[-1] == EOS]
        alive = [(ids, total) for ids, total in grown if ids[-1] != EOS]
        places = beam_size - len(finished)
        if not alive:
            break
    return max(finished, key=lambda one: one[1])


@torch.no_grad()
@pytest.mark.parametrize(("seed", "beam_size", "alpha"), [(8, 2, 0.0), (7, 3, 0.6), (11, 3, 3.0), (15, 5, 1.5)])
def test_an_undecided_model_shows_every_difference_to_plain_beam_search(seed, beam_size, alpha):
    """All tokens are about as probable: places in the beam and the moment of stopping decide what comes out."""
    torch.manual_seed(seed)
    side = EmbeddingConfig(9, 16, max_length=20)
    stack = StackConfig(16, 1, 2, 16)
    model = Transformer(TransformerConfig(side, side, stack, stack)).eval()
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=1.0, max_length_offset=5)
    generator = np.random.default_rng(2)
    ids = [[*generator.integers(4, 9, generator.integers(1, 7)).tolist(), EOS] for _ in range(40)]
    sources = EncodedSources(model.encoder, ids, PAD, torch.device("cpu"))
    memory, present = sources.batch(np.arange(40))
    found = beam_search(model.decoder, memory, present, rules, beam_size=beam_size, length_penalty=alpha)
    for row, hypothesis in enumerate(found):
        alone = (memory[row : row + 1], present[row : row + 1])
        expected, score = beam_to_the_end(model.decoder, *alone, rules, beam_size, alpha)
        assert hypothesis.ids == expected[1:-1]
        assert hypothesis.score == pytest.approx(score, abs=TOLERANCE)


@torch.no_grad()
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_leaving_the_batch_and_stopping_early_change_nothing(model, sources, rules, alpha):
    memory, present = sources.batch(all_rows(sources)[:25])
    found = beam_search(model.decoder, memory, present, rules, beam_size=3, length_penalty=alpha)
    for row, hypothesis in enumerate(found):
        alone = (memory[row : row + 1], present[row : row + 1])
        ids, score = beam_to_the_end(model.decoder, *alone, rules, 3, alpha)
        assert hypothesis.ids == ids[1:-1]
        assert hypothesis.score == pytest.approx(score, abs=TOLERANCE)


@pytest.mark.parametrize("name", ["greedy", "beam"])
def test_forbidden_tokens_are_never_produced_and_the_length_is_kept(model, sources, rules, name):
    favourite = 7
    forbidden = (PAD, BOS, UNK, favourite)
    short = dataclasses.replace(rules, forbidden_ids=forbidden, max_length_ratio=0.0, max_length_offset=3)
    found = searches(model, short)[name](*sources.batch(all_rows(sources)))
    unbound = searches(model, rules)[name](*sources.batch(all_rows(sources)))
    assert any(favourite in h.ids for h in unbound)
    assert not any({PAD, BOS, EOS, UNK, favourite} & set(h.ids) for h in found)
    assert max(len(h.ids) for h in found) == 2, "3 tokens with <eos>"


def test_the_length_is_a_ratio_plus_an_offset_up_to_the_positions(model):
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=1.5, max_length_offset=3)
    assert rules.max_lengths(torch.tensor([1, 2, 5, 100]), model.decoder).tolist() == [4, 6, 10, 40]


def test_a_translation_can_be_as_long_as_the_table_of_positions(model, rules):
    endless = dataclasses.replace(rules, max_length_ratio=100.0)
    sources = EncodedSources(model.encoder, [[4, 5, EOS]], PAD, torch.device("cpu"))
    with torch.no_grad():
        kept = model.decoder.embedding.weight[EOS].clone()
        model.decoder.embedding.weight[EOS] = -10 * model.decoder.embedding.weight[4:].mean(0)
        try:
            found = greedy(model.decoder, *sources.batch(np.array([0])), endless)
        finally:
            model.decoder.embedding.weight[EOS] = kept
    assert len(found[0].ids) <= 39


def test_penalty_is_that_of_the_paper():
    assert float(penalty(7, 0.6)) == pytest.approx(2**0.6)
    assert penalty(torch.tensor([1, 13]), 1.0).tolist() == [1.0, 3.0]
