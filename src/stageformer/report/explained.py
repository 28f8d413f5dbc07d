"""Scaled dot-product attention at work on one sentence of the test, drawn by the model of the workspace."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import WORKSPACE, Experiment
from stageformer.report.translations import Translations

MODEL = "data/train_decoder/model.pt"
CAPTIONS = {
    "encoder": "Self-attention of the encoder, layer 1, head 1",
    "decoder": "Self-attention of the decoder, layer 1, head 1",
    "cross": "Attention of the decoder to the encoder output, layer 1, head 1",
}
FEWEST_WORDS, MOST_WORDS = 3, 5
"""words of a source that makes a good picture"""


@dataclass(frozen=True)
class Explained:
    """The pictures of one sentence, or why there are none."""

    sentence: str = ""
    pictures: list[tuple[str, str]] = field(default_factory=list)
    """caption and data URI"""
    reason: str = ""


def explained(experiments: Sequence[Experiment], root: Path, translations: Translations) -> Explained:
    """Draw the three kinds of attention for one sentence with the model of the workspace.

    Args:
        experiments: those of the report; the workspace has to be among them, since only its model lies in a file.
        root: of the workspace.
        translations: the sentence is the first of good length, an exact match if there is one.
    """
    if not any(experiment.name == WORKSPACE for experiment in experiments):
        return Explained(reason="Only the model of the workspace is drawn; see `stageformer explain`.")
    if not (root / MODEL).exists():
        return Explained(reason=f"There is no {MODEL} in the workspace; `dvc repro` or `dvc checkout` brings it.")
    row = min(
        (row for row in translations.rows if FEWEST_WORDS <= len(row[1][0].split()) <= MOST_WORDS),
        key=lambda row: not row[3][1], default=None,
    )
    if row is None:
        return Explained(reason="No sentence of the test has a length that can be drawn.")
    return _draw(root, row[1][0])


def _draw(root: Path, sentence: str) -> Explained:
    # Importing torch takes two seconds, which a report without these pictures need not wait for.
    from stageformer.figures.explain import explain
    from stageformer.translator.translator import Translator

    try:
        found: list[Any] = explain(Translator.load(root), sentence, layer=1, head=1)
    except StageformerError as error:
        return Explained(reason=f"{error}.")
    pictures = [
        (CAPTIONS[one.operation.kind], f"data:image/svg+xml;base64,{base64.b64encode(one.picture('svg')).decode()}")
        for one in found
    ]
    return Explained(sentence, pictures)
