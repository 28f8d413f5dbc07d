"""The interface that every exported format implements.

A format is one file in this folder, which holds one subclass of :class:`Format` under the name of the file: an item of
``export.formats`` and the name of its folder in ``data/export``. The file imports neither torch nor the engine at its
top, since ``check`` asks the formats what they cannot express before anything runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from stageformer.model.config import TransformerConfig
from stageformer.params.choices import chosen, implementation
from stageformer.text.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    from stageformer.export.workload import Run, Workload
    from stageformer.model.transformer import Transformer
    from stageformer.text.pair import Tokenizers
    from stageformer.text.vocabulary import Vocabularies


class Format(ABC):
    """A folder that another engine reads."""

    title: ClassVar[str]
    """As the model card names it, with the precision."""
    library: ClassVar[str]
    """The engine, as Hugging Face names libraries."""
    is_at_the_root: ClassVar[bool] = False
    """Whether a published model has the files of this format beside its card, not in a folder of their own."""
    same_on_every_cpu: ClassVar[bool] = True
    """Whether the engine translates alike on every CPU that `compute.instruction_set` covers."""

    @abstractmethod
    def check(self, config: TransformerConfig, tokenizer: type[Tokenizer]) -> None:
        """Raise StageformerError, which says how to go on, unless the format can express such a model.

        Args:
            config: of the model; the sizes of its vocabularies mean nothing, since no tokenizer has been trained yet
            tokenizer: its family
        """

    @abstractmethod
    def write(self, model: Transformer, tokenizers: Tokenizers, vocabularies: Vocabularies, folder: Path) -> None:
        """Write the model into ``folder``; the same model gives the same bytes.

        Args:
            model: in eval mode, on the CPU
            tokenizers: those of the model
            vocabularies: those of the model
            folder: created if need be

        Raises:
            StageformerError: the format cannot express the model, or its package is not installed.
        """

    @abstractmethod
    def translate(self, workload: Workload, folder: Path) -> Run:
        """Translate by the engine, from what :meth:`write` left in ``folder``."""

    @abstractmethod
    def usage(self, folder: str, folders: Mapping[str, str]) -> list[str]:
        """Return paragraphs of Markdown that show how the engine translates with ``folder``.

        Each block of code runs by itself, in the folder of the card.

        Args:
            folder: of this format, relative to the card
            folders: of every format beside the card, by name: another one may have the tokenizer
        """


def export_format(name: str) -> Format:
    """Import the format of that name and return it. Raises StageformerError when there is none."""
    format_class: type[Format] = implementation(chosen("stageformer.export.formats", name), Format)
    return format_class()


def code(*lines: str, language: str = "python") -> str:
    """Return lines as a block of code in Markdown."""
    return "\n".join([f"```{language}", *lines, "```"])
