"""Why another engine's greedy translation is another one: how close the call was at the first token that differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from stageformer.model.transformer import Transformer
from stageformer.text.vocabulary import Vocabularies

ROUNDING = 1e-3
"""Nats. Tokens that our model holds for equally probable up to this are a tie, which rounding may break either way."""


@dataclass(frozen=True)
class Difference:
    """A sentence that two engines translate differently."""

    id: int
    source: str
    ours: str
    theirs: str
    position: int | None
    """of the first token that differs, from 0; None: the tokens are the same, and only their text is not"""
    our_token: str | None
    their_token: str | None
    margin: float | None
    """nats by which our model, in our arithmetic, prefers our token to theirs"""


@torch.inference_mode()
def margin(
    model: Transformer, source_ids: Sequence[int], bos_id: int, prefix: Sequence[int], ours: int, theirs: int
) -> float:
    """Return the log-probability of token ``ours`` less that of ``theirs`` after a translation began with ``prefix``.

    Args:
        model: in eval mode, on the CPU
        source_ids: the source, <eos> included
        bos_id: what every translation begins with
        prefix: ids of what both agree on
        ours: an id
        theirs: an id
    """
    hidden = model(torch.tensor([source_ids]), torch.tensor([[bos_id, *prefix]]))[0, -1]  # [D]
    logits = model.decoder.logits(hidden).double()
    return float(logits[ours] - logits[theirs])


def difference(
    model: Transformer,
    vocabularies: Vocabularies,
    *,
    id: int,
    source: str,
    source_ids: Sequence[int],
    ours: tuple[Sequence[int], str],
    theirs: tuple[Sequence[int], str],
) -> Difference:
    """Find the first token in which two translations, each given as ids and text, part."""
    target = vocabularies.target
    our_ids, their_ids = [*ours[0], target.eos_id], [*theirs[0], target.eos_id]
    pairs = enumerate(zip(our_ids, their_ids, strict=False))
    position = next((place for place, (our_id, their_id) in pairs if our_id != their_id), None)
    if position is None:
        return Difference(id, source, ours[1], theirs[1], None, None, None, None)
    our_id, their_id = our_ids[position], their_ids[position]
    return Difference(
        id=id,
        source=source,
        ours=ours[1],
        theirs=theirs[1],
        position=position,
        our_token=target.tokens[our_id],
        their_token=target.tokens[their_id],
        margin=round(margin(model, source_ids, target.bos_id, our_ids[:position], our_id, their_id), 4),
    )


def summary(differences: Sequence[Difference]) -> dict[str, Any]:
    """Count the differences by their cause."""
    margins = [abs(difference.margin) for difference in differences if difference.margin is not None]
    return {
        "ties": sum(margin <= ROUNDING for margin in margins),
        "other_tokens": sum(margin > ROUNDING for margin in margins),
        "other_text": len(differences) - len(margins),
        "largest_margin": max(margins, default=0.0),
    }


def examples(differences: Sequence[Difference], number: int) -> list[dict[str, Any]]:
    """Return the first ``number`` differences as plain values."""
    return [asdict(found) for found in differences[:number]]
