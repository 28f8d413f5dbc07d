"""A corpus that is made up: strings of letters, each to be copied and to be reversed.

It needs no files and no network, and a small model learns it without a mistake in half a minute. In ``reverse a d c``
-> ``c d a``, the attention of the decoder walks backwards through the source.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Self

from stageformer.corpus.sources.base import Record, Source
from stageformer.params.ingest import Ingest, Letters

TASKS: dict[str, Callable[[list[str]], list[str]]] = {
    "copy": lambda letters: letters,
    "reverse": lambda letters: letters[::-1],
}
"""The first word of a source -> what its target is made of the letters that follow."""


@dataclass(frozen=True)
class LettersSource(Source):
    """Random strings, each with every task; the string is the group, so that no split knows a string of another."""

    params: Letters
    labels: str = "none"
    """``one``: the task is the label."""

    @classmethod
    def open(cls, params: Ingest, cache: Path) -> dict[str, Self]:
        """See :meth:`Source.open`."""
        return {"train": cls(params.letters, params.labels)}

    def __iter__(self) -> Iterator[Record]:
        """Yield the pairs; the same parameters give the same on every machine. Strings may occur twice."""
        # random() alone is promised to draw the same numbers in every version of Python.
        draw = random.Random(self.params.seed).random
        for number in range(1, self.params.strings + 1):
            length = 1 + int(draw() * self.params.max_length)
            letters = [ascii_lowercase[int(draw() * self.params.alphabet)] for _ in range(length)]
            for task, target in TASKS.items():
                yield Record(
                    " ".join([task, *letters]),
                    " ".join(target(letters)),
                    " ".join(letters),
                    f"string {number}: {task}",
                    labels=(task,) if self.labels == "one" else (),
                )
