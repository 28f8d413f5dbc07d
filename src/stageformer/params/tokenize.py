"""Parameters of the stage ``tokenize``.

A family without parameters of its own needs nothing here: it is found by the name of its file.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, model_validator

from stageformer.errors import did_you_mean
from stageformer.params.base import Params, group, param
from stageformer.params.choices import kinds

_LEARNT = ("bpe", "byte_bpe", "unigram")
_OWN = (*_LEARNT, "cut", "pretrained", "sentencepiece", "wordpiece")
_CUTTERS = kinds("stageformer.text.cutters")


class Family(Params):
    """What every family of tokenizers has."""

    for_transformers: ClassVar[bool] = True
    """Whether the Hugging Face library can do the same, except for true case, so that it can be exported to."""
    kind: str = param("tokenizer")
    case: Literal["keep", "lower", "true"] = param(
        "lower: lower-case the text first (the original case is lost); true: the first word as it is written inside of "
        "sentences, learnt from train"
    )
    normalisation: Literal["none", "nfc", "nfkc"] = param(
        "Unicode normalisation of the text, after that of ingest, which is NFC; nfkc: also ﬁ to fi, ① to 1 (lossy)"
    )


class Given(Family):
    """A tokenizer that is wholly given by its code."""

    kind: Literal[tuple(name for name in kinds("stageformer.text.tokenizers") if name not in _OWN)] = param("tokenizer")  # type: ignore


class Learnt(Family):
    """A tokenizer that learns its tokens from the training split."""

    kind: Literal["bpe", "byte_bpe", "unigram"] = param("tokenizer")
    vocabulary_size: int = param("number of tokens to learn", minimum=8, maximum=1_000_000)


class WordPiece(Learnt):
    """Pieces of words."""

    kind: Literal["wordpiece"] = param("tokenizer")  # type: ignore[assignment]
    max_word_length: int = param(
        "a word of more characters becomes one token, mostly unknown", minimum=1, maximum=1_000_000
    )


class SentencePiece(Learnt):
    """A model of the library SentencePiece."""

    for_transformers = False
    kind: Literal["sentencepiece"] = param("tokenizer")  # type: ignore[assignment]
    model_type: Literal["unigram", "bpe", "char", "word"] = param("how the pieces are learnt")
    path: str | None = param("a .model file to use as it is; null: one is trained")


def _known(cutter: str) -> str:
    if cutter not in _CUTTERS and ":" not in cutter:
        raise ValueError(
            f"found {cutter!r}{did_you_mean(cutter, _CUTTERS)}; needed one of {', '.join(_CUTTERS)}, or module:callable"
        )
    return cutter


class Cut(Family):
    """Words found by a library of others, whole or cut into subwords."""

    for_transformers = False
    kind: Literal["cut"] = param("tokenizer")
    cutter: Annotated[str, AfterValidator(_known)] = param(
        f"what finds the words: {', '.join(_CUTTERS)}, or module:callable for a function of one's own"
    )
    language: str | None = param("code of the language, such as de; null: for a cutter that knows no languages")
    path: str | None = param("folder of the data that the cutter needs; null: where its library looks for it")
    subwords: Literal["none", "bpe", "unigram", "wordpiece"] = param("what is learnt inside the words; none: nothing")
    vocabulary_size: int | None = param(
        "number of subwords to learn; null: with subwords none", minimum=8, maximum=1_000_000
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.subwords == "none") != (self.vocabulary_size is None):
            needed = "null" if self.subwords == "none" else "a number"
            raise ValueError(f"subwords is {self.subwords!r}, which needs vocabulary_size {needed}")
        return self


class Pretrained(Family):
    """A tokenizer of others, with its own ids."""

    for_transformers = False
    kind: Literal["pretrained"] = param("tokenizer")
    path: str = param("folder or file: tokenizer.json, vocab.txt, vocab.json with merges.txt, a .model, ...")


AnyFamily = Learnt | WordPiece | SentencePiece | Cut | Pretrained | Given


class Tokenize(Params):
    """How text is cut into tokens."""

    source: AnyFamily = group("tokenizer of the source side", kind="kind")
    target: AnyFamily | None = group(
        "tokenizer of the target side; null: that of the source, trained on both sides", kind="kind"
    )

    @property
    def has_ids(self) -> bool:
        """Return whether the tokenizer of a side brings its own ids."""
        return any(side is not None and side.kind == "pretrained" for side in (self.source, self.target))

    @property
    def is_joint(self) -> bool:
        """Return whether one tokenizer serves both sides."""
        return self.target is None
