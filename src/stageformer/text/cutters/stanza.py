"""``stanza``: the neural tokenizer of Stanza (Qi et al. 2020), with a model of one's own."""

from __future__ import annotations

import os
from pathlib import Path

from stageformer.errors import StageformerError
from stageformer.text.alignment import Span
from stageformer.text.cutters.base import HOW_LANGUAGE, Cutter, CutterOptions, digest, how_path

NEEDS = ("stanza",)


class StanzaCutter(Cutter):
    """Finds sentences and words by a trained model. Nothing is downloaded."""

    distributions = ("stanza", "torch")
    takes = frozenset({"language", "path"})

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        self.check(options)
        import stanza

        self._folder = _resources(options)
        try:
            self._pipeline = stanza.Pipeline(
                str(options.language), dir=str(self._folder), processors="tokenize", download_method=None,
                use_gpu=False, verbose=False,
            )  # fmt: skip
        except Exception as error:  # Stanza raises whatever comes up while it reads its files
            reason = " ".join(str(error).split())
            raise StageformerError(f"{self._folder}: Stanza cannot load its models from there: {reason}") from None

    @classmethod
    def check(cls, options: CutterOptions) -> None:
        """Raise StageformerError if there is no model for the language."""
        folder = _resources(options)
        if options.language is None:
            raise StageformerError(f"the cutter stanza needs a language and got null; {HOW_LANGUAGE}")
        for needed in (folder / "resources.json", folder / options.language / "tokenize"):
            if not needed.exists():
                raise StageformerError(
                    f"the cutter stanza needs its models, and there is no {needed}; no package brings them: run "
                    f"`python -c \"import stanza; stanza.download('{options.language}', model_dir='FOLDER')\"`, then "
                    + how_path("stanza")
                )

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return [text[start:end] for start, end in self.spans(text)]

    def spans(self, text: str) -> list[Span]:
        """Return where the words are; of a token that stands for several words, such as *zum*, where it is."""
        if not text.strip():
            return []  # which Stanza refuses
        sentences = self._pipeline(text).sentences
        return [(token.start_char, token.end_char) for sentence in sentences for token in sentence.tokens]

    @classmethod
    def versions(cls, options: CutterOptions) -> dict[str, str]:
        """Return the versions of Stanza and torch, and a hash of the models."""
        models = (_resources(options) / str(options.language) / "tokenize").glob("*")
        return super().versions(options) | {"stanza models": digest(models)}


def _resources(options: CutterOptions) -> Path:
    return Path(options.path or os.environ.get("STANZA_RESOURCES_DIR") or Path.home() / "stanza_resources")
