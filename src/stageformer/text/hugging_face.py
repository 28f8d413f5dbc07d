"""What the families that use the Hugging Face library ``tokenizers`` have in common.

What is learnt is saved as that library's ``tokenizer.json``; it can be used without Stageformer. There, a character
that training never saw becomes the model's unknown piece; here, it comes out as it is in the text. There, the text has
to be given its form first (``text/form.py``); here, that is done.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

from stageformer.artifacts.files import atomic_file
from stageformer.artifacts.reading import read_content
from stageformer.errors import StageformerError
from stageformer.text.form import Form
from stageformer.text.marker import ESCAPE, SPACE, escape, unmark
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import BOS, EOS, PAD, UNK

FILE_NAME = "tokenizer.json"
_BATCH = 2048  # bounds the memory of the library's encodings, which hold far more than the token strings


def character_class(characters: Iterable[str]) -> str:
    """Return characters as the inside of a class of a regular expression."""
    return "".join(f"\\x{{{ord(character):x}}}" for character in sorted(set(characters)))


def no_special_tokens() -> normalizers.Normalizer:
    """Return what keeps a word of a text that is spelt like a special token from being one."""
    return normalizers.Replace(Regex(f"(?<![^ ])(?:{PAD}|{BOS}|{EOS})(?![^ ])"), UNK)


class HuggingFaceTokenizer(Tokenizer):
    """A tokenizer of the Hugging Face library behind our interface."""

    files = (FILE_NAME,)
    unknown: str | None = None
    """The model's unknown piece; None in a family that knows every text."""

    def __init__(self, library_tokenizer: tokenizers.Tokenizer, form: Form) -> None:
        super().__init__(form)
        self._tokenizer = library_tokenizer

    def prepare(self, text: str) -> str:
        """Return the normalised text in the form that the library's tokenizer is given."""
        return text

    def preparation(self) -> list[normalizers.Normalizer]:
        """Return what :meth:`prepare` does, in the components of the library."""
        return []

    @abstractmethod
    def decoder(self) -> decoders.Decoder:
        """Return what :meth:`join` does, in the components of the library."""

    def surface(self, text: str) -> list[str]:
        """Return the tokens for a stretch of prepared text that the model does not know."""
        return [text]

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        tokenized: list[list[str]] = []
        for start in range(0, len(texts), _BATCH):
            prepared = [self.prepare(self.form.apply(text)) for text in texts[start : start + _BATCH]]
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
    def load(cls, folder: Path, form: Form) -> Self:
        """Read ``tokenizer.json``. Raises StageformerError when it is missing or damaged."""
        path = folder / FILE_NAME
        remedy = "make it again with `dvc repro --force tokenize`"
        try:
            return cls(tokenizers.Tokenizer.from_str(read_content(path).decode()), form)
        except StageformerError:
            raise
        except FileNotFoundError:
            raise StageformerError(f"{path}: no such file; it should hold the {cls.kind} tokenizer; {remedy}") from None
        except Exception as error:  # the library raises no class of its own
            reason = " ".join(str(error).split())
            raise StageformerError(f"{path}: not a readable {cls.kind} tokenizer ({reason}); {remedy}") from None

    @property
    def size(self) -> int:
        """The number of tokens learnt, without the unknown piece."""
        return int(self._tokenizer.get_vocab_size()) - (self.unknown is not None)

    @property
    def learnt(self) -> list[str]:
        """Every piece of the model but the unknown one, by its number in the model."""
        pieces = self._tokenizer.get_vocab()
        return sorted(pieces.keys() - {self.unknown}, key=lambda piece: pieces[piece])

    @property
    def versions(self) -> dict[str, str]:
        """That of the library."""
        return {"tokenizers": tokenizers.__version__}

    def to_hugging_face(self) -> tokenizers.Tokenizer:
        """Return the library's tokenizer with what this class does around it put into its pipeline."""
        copy = tokenizers.Tokenizer.from_str(self._tokenizer.to_str())
        copy.normalizer = normalizers.Sequence([*self.form.components(), *self.preparation()])
        copy.decoder = self.decoder()
        return copy


_STRETCHES = rf"{SPACE}?[\p{{L}}\p{{M}}]+|{SPACE}?\p{{N}}+|{SPACE}?[^\p{{L}}\p{{M}}\p{{N}}{SPACE}]+|{SPACE}"
# What `unmark` does, for the library. Once the markers are spaces, the marker itself is free to hold a place.
_UNESCAPING = [
    (f"{ESCAPE}{ESCAPE}", f"{SPACE}a"),
    (f"{ESCAPE}_", f"{SPACE}b"),
    (f"{SPACE}a", ESCAPE),
    (f"{SPACE}b", SPACE),
]


class SpaceMarkingTokenizer(HuggingFaceTokenizer):
    """Spaces become markers at the heads of words, so that joined tokens give back the text exactly."""

    exact = True
    unknown = f"{SPACE}<unk>{SPACE}"  # No stretch has a marker but at its head, so no text can spell it.

    @staticmethod
    def untrained(model: models.Model) -> tokenizers.Tokenizer:
        """Return a tokenizer of the library that marks the spaces and has learnt nothing yet.

        It cuts into stretches of letters, of digits and of anything else, each with the marker before it. Without the
        cut at punctuation, ``house.`` and ``house,`` would be learnt as words of their own.
        """
        library_tokenizer = tokenizers.Tokenizer(model)
        library_tokenizer.normalizer = _marking()
        library_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_STRETCHES), behavior="isolated")
        return library_tokenizer

    def prepare(self, text: str) -> str:
        """Return the text with no ``▁`` in it; nearly every text is returned as it is."""
        return escape(text)

    def preparation(self) -> list[normalizers.Normalizer]:
        """Return escaping and, since it takes the place of the trained tokenizer's own normaliser, marking."""
        return [normalizers.Replace(ESCAPE, ESCAPE * 2), normalizers.Replace(SPACE, f"{ESCAPE}_"), _marking()]

    def surface(self, text: str) -> list[str]:
        """Return one token for each unknown character."""
        return list(text)

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return unmark("".join(tokens))

    def decoder(self) -> decoders.Decoder:
        """Return the joining, unmarking and unescaping."""
        return decoders.Sequence(
            [
                decoders.Fuse(),
                decoders.Replace(Regex(rf"\A{SPACE}"), ""),
                decoders.Replace(SPACE, " "),
                *(decoders.Replace(old, new) for old, new in _UNESCAPING),
            ]
        )


def _marking() -> normalizers.Normalizer:
    """Put a marker before the first word and in place of each space."""
    return normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
