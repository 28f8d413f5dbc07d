"""A corpus in two line-aligned text files, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from stageformer.corpus.files import decode, read_lines
from stageformer.corpus.sources.base import Record, Rejected
from stageformer.errors import StageformerError


@dataclass(frozen=True)
class LinesSource:
    """Line N of the one file is the translation of line N of the other."""

    source: Path
    target: Path

    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the pairs. Raises StageformerError when a file is missing or damaged or ends before the other."""
        target_lines = read_lines(self.target)
        source_lines = read_lines(self.source)
        for number, (source_line, target_line) in enumerate(zip_longest(source_lines, target_lines), start=1):
            if source_line is None or target_line is None:
                longer, rest = (self.target, target_lines) if source_line is None else (self.source, source_lines)
                shorter = self.source if source_line is None else self.target
                num_lines = number + sum(1 for _ in rest)
                raise StageformerError(
                    f"{shorter} ends at line {number - 1}, but {longer} has {num_lines} lines; "
                    "line N of the one must be the translation of line N of the other"
                )
            source = decode(self.source, number, source_line)
            target = decode(self.target, number, target_line)
            if isinstance(source, Rejected):
                yield source
            elif isinstance(target, Rejected):
                yield target._replace(source=source)
            else:
                yield Record(source, target, "", f"{self.source.name}:{number}")
