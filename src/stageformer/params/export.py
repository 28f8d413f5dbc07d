"""Parameters of the stage ``export``."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import model_validator

from stageformer.params.base import Params, param

Format = Literal["ctranslate2", "ctranslate2_int8", "huggingface"]
FORMATS: tuple[str, ...] = get_args(Format)
"""Folders of ``data/export``."""


class Export(Params):
    """What other engines the model is written for, and what its card says of licences."""

    formats: list[Format] = param("folders to write; needs `pip install 'stageformer[export]'`")
    license: str | None = param("licence of the model, as Hugging Face abbreviates it; null: not stated")
    data_license: str | None = param("licence of the corpus; null: that of the default corpus, or not stated")

    @model_validator(mode="after")
    def _each_format_once(self) -> Self:
        if not self.formats or len(set(self.formats)) != len(self.formats):
            raise ValueError(f"formats is {self.formats}; needed one or more of {', '.join(FORMATS)}, each once")
        return self
