"""What the families have in common that learn nothing from the corpus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from stageformer.text.tokenizers.base import Tokenizer


class UntrainedTokenizer(Tokenizer):
    """A tokenizer that is wholly given by its code: there is nothing to train, to save or to load."""

    @classmethod
    def train(cls, sentences: Iterable[str], vocabulary_size: int, lowercase: bool) -> Self:
        """Learn nothing."""
        return cls(lowercase)

    def save(self, folder: Path) -> None:
        """Write nothing."""
        pass

    @classmethod
    def load(cls, folder: Path, lowercase: bool) -> Self:
        """Read nothing."""
        return cls(lowercase)

    @property
    def size(self) -> None:
        """None: nothing is learnt."""
        return None
