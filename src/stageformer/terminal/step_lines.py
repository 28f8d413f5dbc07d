"""The steps of a search as text: what `stageformer translate --steps` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stageformer.console.output import clean
from stageformer.decoding.steps import Step
from stageformer.terminal.text import columns
from stageformer.text.vocabulary import Vocabulary


def step_lines(steps: Sequence[Sequence[Step]], vocabulary: Vocabulary) -> Iterator[str]:
    """Yield the lines of every step: of each hypothesis what the decoder reads, the largest logits, what is chosen.

    Args:
        steps: what :func:`stageformer.decoding.steps.search_steps` returned.
        vocabulary: of the target.
    """
    for number, hypotheses in enumerate(steps, start=1):
        for place, step in enumerate(hypotheses, start=1):
            which = f", hypothesis {place} of {len(hypotheses)}" if len(hypotheses) > 1 else ""
            yield f"step {number}{which}: tgt_mask {list(step.mask_shape)}"
            yield f"  ids so far  {' '.join(map(str, step.ids))}"
            yield f"  tokens      {' '.join(map(clean, vocabulary.to_tokens(step.ids)))}"
            yield from _logits(step, vocabulary)
            yield ""


def _logits(step: Step, vocabulary: Vocabulary) -> Iterator[str]:
    chosen = {choice.id: f"chosen, log-probability {choice.log_probability:.4f}" for choice in step.choices}
    cells = [["id", "logit", "token", "" if chosen else "dropped from the beam"]]
    shown = dict(step.logits)
    # A token of the beam need not be among the ten, such as one that --prefix demands.
    for index in [*shown, *(index for index in chosen if index not in shown)]:
        logit = f"{shown[index]:.3f}" if index in shown else "..."
        cells.append([str(index), logit, *vocabulary.to_tokens([index]), chosen.get(index, "")])
    yield from columns(cells, right=(0, 1))
