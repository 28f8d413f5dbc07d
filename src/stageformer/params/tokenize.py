"""Parameters of the stage ``tokenize``."""

from __future__ import annotations

from typing import Annotated

from stageformer.params.base import OneOf, Params, param
from stageformer.params.choices import kinds


class Tokenize(Params):
    """How text is cut into tokens."""

    kind: Annotated[str, OneOf(kinds("stageformer.text.tokenizers"))] = param("tokenizer")
    vocabulary_size: int = param(
        "number of tokens that a trained tokenizer learns (not char, word)", minimum=8, maximum=1_000_000
    )
    joint: bool = param("one tokenizer trained on both sides; false: one per side")
    lowercase: bool = param("lower-case the text first (the original case is lost)")
