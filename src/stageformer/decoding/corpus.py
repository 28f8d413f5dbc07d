"""Work on many sentences: in batches of similar length, with the results in the order of the sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tqdm import tqdm

from stageformer.batching.batches import batches_by_length
from stageformer.batching.sentences import Ints
from stageformer.compute.pool import Pool
from stageformer.decoding.rules import Batch, Hypothesis
from stageformer.memory.memory import Memory

Result = TypeVar("Result")

Search = Callable[[Batch], list[list[Hypothesis]]]
"""From a batch to the translations of each of its sentences."""


def translate_corpus(
    memory: Memory,
    search: Search,
    batch_tokens: int,
    title: str | None,
    pool: Pool,
    prefixes: Sequence[Sequence[int]] | None = None,
) -> list[list[Hypothesis]]:
    """Translate all sentences, and show the progress.

    Args:
        memory: of the sentences
        search: greedy search, beam search or sampling, with its options bound
        batch_tokens: largest number of source tokens of a batch, padding included
        title: before the progress bar; None: no bar
        pool: translates batches side by side; the number of its workers changes no bit
        prefixes: the ids that each translation begins with, ``[sentences]``; None: nothing is prescribed

    Returns:
        The translations of each sentence, best first, in the order of ``memory``.
    """

    def translate(rows: Ints) -> list[list[Hypothesis]]:
        beginnings = None if prefixes is None else [prefixes[row] for row in rows]
        return search(Batch(*memory.batch(rows), beginnings, rows))

    return in_batches(translate, memory.lengths, batch_tokens, title, pool)


def in_batches(
    function: Callable[[Ints], Sequence[Result]], lengths: Ints, batch_tokens: int, title: str | None, pool: Pool
) -> list[Result]:
    """Apply a function to all sentences, and show the progress.

    Args:
        function: from the numbers of the sentences of a batch to a result for each
        lengths: tokens of each sentence, ``[sentences]``
        batch_tokens: largest number of tokens of a batch, padding included
        title: before the progress bar; None: no bar
        pool: computes batches side by side; the number of its workers changes no bit

    Returns:
        The result of each sentence, in their order.
    """

    def compute(rows: Ints) -> tuple[Ints, Sequence[Result]]:
        return rows, function(rows)

    results: dict[int, Result] = {}
    with tqdm(total=len(lengths), desc=title, unit="sentence", disable=title is None or None) as bar:
        for rows, of_rows in pool.map(compute, batches_by_length(lengths, batch_tokens)):
            results.update(zip(rows.tolist(), of_rows, strict=True))
            bar.update(len(rows))
    return [results[row] for row in range(len(results))]
