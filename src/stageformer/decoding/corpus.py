"""A search over many sentences: in batches of like length, with the results in the order of the sentences."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from tqdm import tqdm

from stageformer.batches import batches_by_length
from stageformer.decoding.rules import Hypothesis
from stageformer.decoding.sources import Sources

Search = Callable[[Tensor, Tensor], list[Hypothesis]]
"""From the memory ``[B, S, D]`` and presence ``[B, S]`` of a batch to its translations."""


def translate_corpus(sources: Sources, search: Search, batch_tokens: int, title: str | None) -> list[Hypothesis]:
    """Translate all sentences, and show the progress.

    Args:
        sources: the sentences
        search: greedy or beam search, with its options bound
        batch_tokens: largest number of source tokens of a batch, padding included
        title: stands before the progress bar; None: no bar

    Returns:
        The translation of each sentence, in the order of ``sources``.
    """
    found: dict[int, Hypothesis] = {}
    with tqdm(total=len(sources.lengths), desc=title, unit="sentence", disable=title is None or None) as bar:
        for rows in batches_by_length(sources.lengths, batch_tokens):
            found.update(zip(rows.tolist(), search(*sources.batch(rows)), strict=True))
            bar.update(len(rows))
    return [found[row] for row in range(len(found))]
