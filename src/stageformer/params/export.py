"""Parameters of the stage ``export``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.errors import StageformerError
from stageformer.params.base import param

FORMATS = ("ctranslate2", "ctranslate2_int8", "huggingface")
"""Folders of ``data/export``."""


@dataclass(frozen=True)
class Export:
    """What other engines the model is written for, and what its card says of licences."""

    formats: list[str] = param("folders to write; needs `pip install 'stageformer[export]'`", choices=FORMATS)
    license: str | None = param("licence of the model, as Hugging Face abbreviates it; null: not stated")
    data_license: str | None = param("licence of the corpus; null: that of the default corpus, or not stated")

    def __post_init__(self) -> None:
        if not self.formats or len(set(self.formats)) != len(self.formats):
            raise StageformerError(f"formats is {self.formats}; needed one or more of {', '.join(FORMATS)}, each once")
