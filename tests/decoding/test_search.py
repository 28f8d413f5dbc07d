"""Greedy and beam search against plain Python that recomputes every prefix and never stops early."""

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
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer

PAD, BOS, EOS, UNK = range(4)
TOLERANCE = 1e-4
NAMES = ["greedy", "beam", "average"]


def searches(model, rules):
    return {
        "greedy": partial(greedy, model.decoder, rules=rules),
        "beam": partial(beam_search, model.decoder, rules=rules, beam_size=4, length_penalty=0.6),
        "average": partial(
            beam_search, model.decoder, rules=rules, beam_size=4, nbest=3, length_penalty=1.0,
            length_normalisation="length",
        ),
    }  # fmt: skip


def divisors(name, hypotheses):
    lengths = torch.tensor([len(h.ids) + 1 for h in hypotheses])
    alpha, normalisation = {"greedy": (0.0, "paper"), "beam": (0.6, "paper"), "average": (1.0, "length")}[name]
    return penalty(lengths, alpha, normalisation).numpy()


def ids_of(found):
    return [[h.ids for h in translations] for translations in found]


def assert_alike(found, expected):
    assert ids_of(found) == ids_of(expected)
    for field in ("score", "log_probability"):
        values = [[getattr(h, field) for translations in lists for h in translations] for lists in (found, expected)]
        np.testing.assert_allclose(*values, atol=TOLERANCE)


def greedy_without_cache(decoder, batch, rules):
    """Recompute the whole prefix at every step, one sentence at a time."""
    found = []
    for row, limit in enumerate(rules.max_lengths(batch.present.sum(1), decoder).tolist()):
        ids, total = [BOS], 0.0
        while ids[-1] != EOS:
            hidden = decoder(torch.tensor([ids]), batch.memory[row : row + 1], batch.present[row : row + 1])[0, -1]
            of_tokens = decoder.logits(hidden).log_softmax(-1)
            allowed = [EOS] if len(ids) == limit else [i for i in range(len(of_tokens)) if i not in (PAD, BOS, UNK)]
            ids.append(max(allowed, key=of_tokens.__getitem__))
            total += float(of_tokens[ids[-1]])
        found.append((ids[1:-1], total))
    return found


@torch.no_grad()
def test_greedy_with_a_cache_is_greedy_without(model, sources, rules, batch_of):
    batch = batch_of(sources)
    found = [h for (h,) in greedy(model.decoder, batch, rules)]
    expected = greedy_without_cache(model.decoder, batch, rules)
    assert [h.ids for h in found] == [ids for ids, _ in expected]
    np.testing.assert_allclose([h.score for h in found], [total for _, total in expected], atol=TOLERANCE)
    assert len({len(h.ids) for h in found}) > 5, "sentences of different lengths leave at different steps"


def test_greedy_without_scores_finds_the_same(model, sources, rules, batch_of):
    found = greedy(model.decoder, batch_of(sources), rules, with_scores=False)
    assert ids_of(found) == ids_of(greedy(model.decoder, batch_of(sources), rules))
    assert all(np.isnan(h.score) and np.isnan(h.log_probability) for (h,) in found)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6])
def test_a_beam_of_one_is_greedy_search(model, sources, rules, batch_of, length_penalty):
    plain = [h for (h,) in greedy(model.decoder, batch_of(sources), rules)]
    beam = [
        h for (h,) in beam_search(model.decoder, batch_of(sources), rules, beam_size=1, length_penalty=length_penalty)
    ]
    assert [h.ids for h in beam] == [h.ids for h in plain]
    lengths = torch.tensor([len(h.ids) + 1 for h in plain])
    expected = torch.tensor([h.score for h in plain]) / penalty(lengths, length_penalty)
    np.testing.assert_allclose([h.score for h in beam], expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_what_its_sentences_give_alone(model, sources, rules, batch_of, name):
    search = searches(model, rules)[name]
    together = search(batch_of(sources))
    assert_alike([search(batch_of(sources, [row]))[0] for row in range(len(together))], together)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("batch_tokens", "threads"), [(1, 1), (50, 2), (10_000, 3)])
def test_a_corpus_comes_back_in_its_order_whatever_the_batches(
    model, sources, rules, batch_of, pool_of, name, batch_tokens, threads
):
    search = searches(model, rules)[name]
    found = translate_corpus(sources, search, batch_tokens, "test", pool_of(threads))
    assert_alike(found, search(batch_of(sources)))


def test_the_number_of_threads_changes_no_bit(model, sources, rules, pool_of):
    search = searches(model, rules)["beam"]
    one, two = (translate_corpus(sources, search, 50, None, pool_of(threads)) for threads in (1, 2))
    assert one == two


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_forced_decoding(model, sources, rules, batch_of, pool_of, name):
    found = searches(model, rules)[name](batch_of(sources))
    for place in range(len(found[0])):
        hypotheses = [translations[place] for translations in found]
        targets = [[BOS, *h.ids, EOS] for h in hypotheses]
        forced = log_probabilities(model.decoder, sources, targets, 200, "test", pool_of(2))
        np.testing.assert_allclose([h.log_probability for h in hypotheses], forced, atol=TOLERANCE)
        expected = forced / divisors(name, hypotheses)
        np.testing.assert_allclose([h.score for h in hypotheses], expected, atol=TOLERANCE)


def test_a_wider_beam_finds_better_translations(model, sources, rules, batch_of):
    batch = batch_of(sources)
    scores = [
        sum(h.score for (h,) in beam_search(model.decoder, batch, rules, beam_size=size, length_penalty=0.0))
        for size in (1, 4, 12)
    ]
    assert scores[0] < scores[1] - 0.1
    assert scores[1] < scores[2] + 1e-3


def beam_to_the_end(decoder, memory, present, rules, beam_size, alpha, normalisation):
    """Beam search of one sentence in plain Python; returns all that finished, by falling score."""
    limit = int(rules.max_lengths(present.sum(1), decoder)[0])
    alive, finished, places = [([BOS], 0.0)], [], beam_size
    for length in range(1, limit + 1):
        hidden = decoder(torch.tensor([ids for ids, _ in alive]), memory.expand(len(alive), -1, -1), present)[:, -1]
        of_tokens = decoder.logits(hidden).log_softmax(-1)
        of_tokens[:, [PAD, BOS, UNK]] = -torch.inf
        if length == limit:
            of_tokens[:, [i for i in range(of_tokens.size(1)) if i != EOS]] = -torch.inf
        totals = torch.tensor([total for _, total in alive])[:, None] + of_tokens
        best = totals.flatten().topk(min(places, int(totals.isfinite().sum())))
        grown = [
            ([*alive[index // of_tokens.size(1)][0], index % of_tokens.size(1)], total)
            for index, total in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
        divisor = length**alpha if normalisation == "length" else ((5 + length) / 6) ** alpha
        finished += [(ids, total / divisor) for ids, total in grown if ids[-1] == EOS]
        alive = [(ids, total) for ids, total in grown if ids[-1] != EOS]
        places = beam_size - len(finished)
        if not alive:
            break
    return sorted(finished, key=lambda one: -one[1])


@torch.no_grad()
@pytest.mark.parametrize(
    ("seed", "beam_size", "nbest", "alpha", "normalisation"),
    [(8, 2, 1, 0.0, "paper"), (7, 3, 1, 0.6, "paper"), (11, 3, 2, 3.0, "paper"), (15, 5, 5, 1.5, "paper"),
     (8, 4, 1, 1.0, "length"), (7, 5, 3, 1.0, "length"), (9, 5, 5, 0.5, "length")],
)  # fmt: skip
def test_an_undecided_model_shows_every_difference_to_plain_beam_search(
    batch_of, seed, beam_size, nbest, alpha, normalisation
):
    """All tokens are about as probable: places in the beam and the moment of stopping decide what comes out."""
    torch.manual_seed(seed)
    side = EmbeddingConfig(9, 16, max_length=20)
    stack = StackConfig(16, 1, 2, 16)
    model = Transformer(TransformerConfig(side, side, stack, stack)).eval()
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=1.0, max_length_offset=5)
    generator = np.random.default_rng(2)
    ids = [[*generator.integers(4, 9, generator.integers(1, 7)).tolist(), EOS] for _ in range(40)]
    batch = batch_of(EncodedMemory(EncoderSource(model.encoder, PAD), Sentences.of(ids)))
    found = beam_search(
        model.decoder, batch, rules, beam_size=beam_size, length_penalty=alpha, length_normalisation=normalisation,
        nbest=nbest,
    )  # fmt: skip
    for row, translations in enumerate(found):
        alone = (batch.memory[row : row + 1], batch.present[row : row + 1])
        expected = beam_to_the_end(model.decoder, *alone, rules, beam_size, alpha, normalisation)[:nbest]
        assert [h.ids for h in translations] == [ids[1:-1] for ids, _ in expected]
        np.testing.assert_allclose([h.score for h in translations], [score for _, score in expected], atol=TOLERANCE)


@torch.no_grad()
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_leaving_the_batch_and_stopping_early_change_nothing(model, sources, rules, batch_of, alpha):
    batch = batch_of(sources, range(25))
    found = beam_search(model.decoder, batch, rules, beam_size=3, length_penalty=alpha)
    for row, (hypothesis,) in enumerate(found):
        alone = (batch.memory[row : row + 1], batch.present[row : row + 1])
        ids, score = beam_to_the_end(model.decoder, *alone, rules, 3, alpha, "paper")[0]
        assert hypothesis.ids == ids[1:-1]
        assert hypothesis.score == pytest.approx(score, abs=TOLERANCE)


def test_early_stopping_takes_the_first_that_finish(toy, batch_of):
    model, sources = toy
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=0.0, max_length_offset=6)
    search = partial(beam_search, model.decoder, batch_of(sources), rules, beam_size=5, length_penalty=1.5)
    (patient, early) = (search(nbest=2, early_stopping=stop) for stop in (False, True))
    for one, other in zip(patient, early, strict=True):
        assert len(other) == 2
        assert max(len(h.ids) for h in other) <= max(len(h.ids) for h in one)
        assert other[0].score <= one[0].score
    assert any(other[0].score < one[0].score for one, other in zip(patient, early, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_forbidden_tokens_are_never_produced_and_the_length_is_kept(model, sources, rules, batch_of, name):
    favourite = 7
    forbidden = (PAD, BOS, UNK, favourite)
    short = dataclasses.replace(rules, forbidden_ids=forbidden, max_length_ratio=0.0, max_length_offset=3)
    found = [h for translations in searches(model, short)[name](batch_of(sources)) for h in translations]
    unbound = [h for translations in searches(model, rules)[name](batch_of(sources)) for h in translations]
    assert any(favourite in h.ids for h in unbound)
    assert not any({PAD, BOS, EOS, UNK, favourite} & set(h.ids) for h in found)
    assert max(len(h.ids) for h in found) == 2, "3 tokens with <eos>"


def test_an_nbest_list_cannot_be_longer_than_the_beam(model, sources, rules, batch_of):
    with pytest.raises(ValueError, match="nbest is 3, but a beam of 2"):
        beam_search(model.decoder, batch_of(sources), rules, beam_size=2, length_penalty=1.0, nbest=3)
