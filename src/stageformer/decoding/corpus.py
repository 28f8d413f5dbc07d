"""A search over many sentences: in batches of like length, with the results in the order of the sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tqdm import tqdm

from stageformer.batching.batches import batches_by_length
from stageformer.batching.sentences import Ints
from stageformer.compute.pool import Pool
from stageformer.decoding.rules import Batch, Hypothesis
from stageformer.memory.memory import Memory

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
        title: stands before the progress bar; None: no bar
        pool: translates batches side by side; the number of its workers changes no bit
        prefixes: the ids that each translation begins with, ``[sentences]``; None: nothing is prescribed

    Returns:
        The translations of each sentence, best first, in the order of ``memory``.
    """

    def translate(rows: Ints) -> tuple[Ints, list[list[Hypothesis]]]:
        beginnings = None if prefixes is None else [prefixes[row] for row in rows]
        return rows, search(Batch(*memory.batch(rows), beginnings, rows))

    found: dict[int, list[Hypothesis]] = {}
    with tqdm(total=len(memory.lengths), desc=title, unit="sentence", disable=title is None or None) as bar:
        for rows, translations in pool.map(translate, batches_by_length(memory.lengths, batch_tokens)):
            found.update(zip(rows.tolist(), translations, strict=True))
            bar.update(len(rows))
    return [found[row] for row in range(len(found))]
