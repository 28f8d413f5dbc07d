"""How each token of a translation came about: the search that found it, and what it chose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stageformer.decoding.rules import Rules
from stageformer.decoding.sampling import Sampling
from stageformer.decoding.search import rules_for
from stageformer.decoding.steps import NUM_LOGITS, search_steps
from stageformer.errors import StageformerError
from stageformer.translator.translator import Translator


@dataclass(frozen=True)
class Candidate:
    """A token that could have been next."""

    id: int
    token: str
    logit: float
    probability: float
    """softmax of the logits over the whole vocabulary"""
    drawn: float | None
    """the probability that sampling drew it with; None: nothing was drawn"""


@dataclass(frozen=True)
class Continuation:
    """One hypothesis of a beam after one more token."""

    tokens: list[str]
    """all but <bos>"""
    log_probability: float
    is_ours: bool
    """whether the translation goes on from it"""


@dataclass(frozen=True)
class Chosen:
    """One token of the translation."""

    id: int
    token: str
    candidates: list[Candidate]
    """the ten of the largest logits, and the one that was chosen, by falling logit"""
    text: str
    """of the translation with this token"""
    beam: list[Continuation] = field(default_factory=list)
    """the hypotheses that were kept, best first; none of greedy search and sampling"""


def find(
    translator: Translator, source: str, ids: Sequence[int], *, beam_size: int | None, sampling: Sampling | None
) -> tuple[list[int], list[list[Continuation]]]:
    """Translate as `stageformer translate` does.

    Args:
        translator: what translates
        source: the text
        ids: of the source, <eos> at the end
        beam_size: instead of that of the parameters; 1: greedy search
        sampling: draw instead

    Returns:
        The ids of the translation, without <bos>, <eos> at the end; and the beam after each of them, empty for greedy
        search and sampling.
    """
    vocabulary = translator.vocabularies.target
    options = {"beam_size": beam_size, "sampling": sampling, "show_progress": False}
    found = translator.nbest([source], origin="the sentence", **options)[0]  # type: ignore[arg-type]
    if not found:
        raise StageformerError("the sentence has no translation, since the logits of the model are not finite")
    translation = found[0]
    ours = [*translation.ids, vocabulary.eos_id]
    if sampling is not None or (beam_size or translator.params.beam_size) == 1:
        return ours, [[] for _ in ours]
    steps, _ = search_steps(translator.model, ids, vocabulary, translator.params, beam_size=beam_size)
    beams = []
    for hypotheses in steps[: len(ours)]:
        kept = sorted(
            ((choice.log_probability, [*step.ids[1:], choice.id]) for step in hypotheses for choice in step.choices),
            key=lambda found: -found[0],
        )
        beams.append([
            Continuation(vocabulary.to_tokens(tokens), total, tokens == ours[: len(tokens)]) for total, tokens in kept
        ])
    return ours, beams


@torch.no_grad()
def chosen(
    translator: Translator, hidden: Tensor, ids: Sequence[int], beams: Sequence[list[Continuation]],
    sampling: Sampling | None,
) -> list[Chosen]:
    """Say of each token of a translation what it was chosen from.

    Args:
        translator: what translated
        hidden: the hidden state that each token was predicted from, ``[T, D]``
        ids: of the translation, <eos> at the end, ``[T]``
        beams: as :func:`find` returns them
        sampling: how the tokens were drawn; None: they were searched for
    """
    vocabulary, tokenizer = translator.vocabularies.target, translator.tokenizers.target
    logits = translator.model.decoder.logits(hidden)  # [T, V]
    probabilities = logits.softmax(-1)
    drawn = None if sampling is None else drawn_from(logits, rules_for(vocabulary, translator.params), sampling)
    found = []
    for place, index in enumerate(ids):
        best = logits[place].topk(min(NUM_LOGITS, logits.size(-1))).indices.tolist()
        candidates = [
            Candidate(
                one, vocabulary.tokens[one], logits[place, one].item(), probabilities[place, one].item(),
                None if drawn is None else drawn[place, one].item(),
            )
            for one in (best if index in best else [*best, index])
        ]
        text = tokenizer.decode(vocabulary.to_tokens(ids[: place + 1], skip_special=True))
        found.append(Chosen(index, vocabulary.tokens[index], candidates, text, beams[place]))
    return found


def drawn_from(logits: Tensor, rules: Rules, sampling: Sampling) -> Tensor:
    """Return the probabilities that :func:`stageformer.decoding.sampling.sample` draws with, ``[T, V]`` for ``logits``.

    What is forbidden, and what ``top_k`` and ``top_p`` leave out, has none.
    """
    allowed = logits.log_softmax(-1)
    allowed[:, list(rules.forbidden_ids)] = -torch.inf
    probabilities, order = (allowed / sampling.temperature).double().softmax(-1).sort(descending=True, stable=True)
    if sampling.top_k > 0:
        probabilities[:, sampling.top_k :] = 0.0
    before = probabilities.cumsum(-1) - probabilities
    probabilities[before >= sampling.top_p * probabilities.sum(-1, keepdim=True)] = 0.0
    probabilities /= probabilities.sum(-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(1, order, probabilities)
