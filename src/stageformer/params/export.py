"""Parameters of the stage ``export``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from stageformer.params.base import OneOf, Params, param
from stageformer.params.choices import kinds

FORMATS = tuple(kinds("stageformer.export.formats"))
"""Folders of ``data/export``."""


class Export(Params):
    """Which other engines the model is written for, and what its card says about licences."""

    formats: list[Annotated[str, OneOf(FORMATS)]] = param(
        "folders of other engines to write; needs `pip install 'stageformer[export]'`; []: our own alone"
    )
    license: str | None = param("licence of the model, as Hugging Face abbreviates it; null: not stated")
    data_license: str | None = param("licence of the corpus; null: that of the default corpus, or not stated")

    @model_validator(mode="after")
    def _each_format_once(self) -> Self:
        if len(set(self.formats)) != len(self.formats):
            raise ValueError(f"formats is {self.formats}; needed each once, of {', '.join(FORMATS)}")
        return self
