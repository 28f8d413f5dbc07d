"""What the families have in common that stand on the Hugging Face library ``tokenizers``.

What is learnt is saved as that library's ``tokenizer.json``; it can be used without Stageformer. There, a character
that training never saw becomes the model's unknown piece; here, it comes out as it stands in the text. There, the text
has to be lower-cased first where the parameter says so; here, that is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import tokenizers

from stageformer.artifacts.files import atomic_file
from stageformer.errors import StageformerError
from stageformer.text.tokenizers.base import Tokenizer

FILE_NAME = "tokenizer.json"
_BATCH = 2048  # bounds the memory of the library's encodings, which hold far more than the token strings


class HuggingFaceTokenizer(Tokenizer):
    """A tokenizer of the Hugging Face library behind our interface."""

    unknown: str | None = None
    """The model's unknown piece; None in a family that knows every text."""

    def __init__(self, library_tokenizer: tokenizers.Tokenizer, lowercase: bool) -> None:
        super().__init__(lowercase)
        self._tokenizer = library_tokenizer

    def prepare(self, text: str) -> str:
        """Return the normalised text in the form that the library's tokenizer is given."""
        return text

    def surface(self, text: str) -> list[str]:
        """Return the tokens for a stretch of prepared text that the model does not know."""
        return [text]

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        tokenized: list[list[str]] = []
        for start in range(0, len(texts), _BATCH):
            prepared = [self.prepare(self.normalise(text)) for text in texts[start : start + _BATCH]]
            encodings = self._tokenizer.encode_batch(prepared, add_special_tokens=False)
            unknown_id = self._tokenizer.token_to_id(self.unknown) if self.unknown else None
            for text, encoding in zip(prepared, encodings, strict=True):
                known = unknown_id is None or unknown_id not in encoding.ids
                tokenized.append(encoding.tokens if known else self._with_surfaces(text, encoding, unknown_id))
        return tokenized

    def _with_surfaces(self, text: str, encoding: tokenizers.Encoding, unknown_id: int | None) -> list[str]:
        tokens: list[str] = []
        for token, index, (start, end) in zip(encoding.tokens, encoding.ids, encoding.offsets, strict=True):
            tokens += self.surface(text[start:end]) if index == unknown_id else [token]
        return tokens

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json``."""
        with atomic_file(folder / FILE_NAME) as file:
            file.write(self._tokenizer.to_str(pretty=True).encode() + b"\n")

    @classmethod
    def load(cls, folder: Path, lowercase: bool) -> Self:
        """Read ``tokenizer.json``. Raises StageformerError when it is missing or damaged."""
        path = folder / FILE_NAME
        mend = "make it again with `dvc repro --force tokenize`"
        try:
            return cls(tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8")), lowercase)
        except FileNotFoundError:
            raise StageformerError(f"{path}: no such file; it should hold the {cls.kind} tokenizer; {mend}") from None
        except Exception as error:  # the library raises no class of its own
            reason = " ".join(str(error).split())
            raise StageformerError(f"{path}: not a readable {cls.kind} tokenizer ({reason}); {mend}") from None

    @property
    def size(self) -> int:
        """The number of tokens learnt, without the unknown piece."""
        return int(self._tokenizer.get_vocab_size()) - (self.unknown is not None)
