"""Which scores are computed: those that the parameters ask for, or those of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.errors import StageformerError
from stageformer.params.evaluate import BLEU_TOKENIZATIONS, Evaluate
from stageformer.scoring.metrics import Scorer


@dataclass(frozen=True)
class Settings:
    """The settings of :class:`stageformer.scoring.metrics.Scorer`."""

    lowercase: bool
    bleu_tokenize: str
    moses_language: str | None
    phonemes: bool
    characters: bool = False

    @classmethod
    def of_params(cls, params: Evaluate) -> Settings:
        """Return those of ``params.yaml``."""
        return cls(params.lowercase, params.bleu_tokenize, params.moses_language, params.phonemes, params.characters)

    @classmethod
    def of_metrics(cls, metrics: Any, place: str) -> Settings:
        """Return those that metrics of the stage evaluate were computed with, which their signatures name.

        Args:
            metrics: content of ``metrics.json``.
            place: where it is, for the message.

        Raises:
            StageformerError: these are not such metrics.
        """
        try:
            bleu = _fields(metrics["bleu_signature"])
            tokenized = metrics.get("bleu_tokenized_lowercased_signature")
            return cls(
                lowercase=bleu["case"] == "lc",
                # That of Japanese names its dictionary as well.
                bleu_tokenize=next(name for name in BLEU_TOKENIZATIONS if bleu["tok"].startswith(name)),
                moses_language=_fields(tokenized)["tok"].removeprefix("moses-") if tokenized else None,
                characters="cer_signature" in metrics,
                phonemes="per_signature" in metrics,
            )
        except (AttributeError, KeyError, StopIteration, TypeError):
            raise StageformerError(
                f"{place}: not the metrics of the stage evaluate; run `dvc repro --force evaluate`"
            ) from None

    def scorer(self, references: Sequence[Sequence[str]]) -> Scorer:
        """Return the scorer for the references of some sentences."""
        return Scorer(
            references,
            lowercase=self.lowercase,
            bleu_tokenize=self.bleu_tokenize,
            moses_language=self.moses_language,
            characters=self.characters,
            phonemes=self.phonemes,
        )


def _fields(signature: str) -> dict[str, str]:
    return {name: value for name, _, value in (field.partition(":") for field in signature.split("|"))}
