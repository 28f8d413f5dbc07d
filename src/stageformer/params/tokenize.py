"""Parameters of the stage ``tokenize``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param
from stageformer.params.choices import kinds


@dataclass(frozen=True)
class Tokenize:
    """How text is cut into tokens."""

    kind: str = param("tokenizer", choices=tuple(kinds("stageformer.text.tokenizers")))
    vocabulary_size: int = param("number of tokens that a trained tokenizer learns (not char, word)", minimum=8)
    joint: bool = param("one tokenizer trained on both sides; false: one a side")
    lowercase: bool = param("lower-case the text first (the original case is lost)")
