"""The pictures of the report: those of the stages, and the attention of one head explained."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import WORKSPACE, Experiment
from stageformer.report.translations import TranslationTable

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


def explained(experiments: Sequence[Experiment], root: Path, translations: TranslationTable) -> Explained:
    """Draw the three kinds of attention for one sentence with the model of the workspace.

    Args:
        experiments: those of the report; the workspace has to be among them, since only its model is in a file.
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


MAX_BYTES = 8 * 2**20
"""all pictures together; the page holds four thirds of it"""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ATTENTION = {
    "cross": "Where the decoder looks: last layer, mean over heads",
    "cross-heads": "Where the decoder looks: every layer and head",
    "encoder": "Where the encoder looks: every layer and head",
    "decoder": "Where the decoder looks in what it has written",
}


@dataclass(frozen=True)
class Picture:
    """One picture of one experiment."""

    experiment: int | None
    """its place from 0; None if there is one experiment, or all have the same picture"""
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Subject:
    """What one picture of each experiment shows."""

    path: str
    caption: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Gallery:
    """All pictures, by stage."""

    stages: list[tuple[str, list[tuple[str, list[Subject]]]]]
    """name of the stage, then its groups: the number of the sentence that the pictures are about (or ""), and they"""
    left_out: list[str]
    """paths that found no room"""

    def take(self, stage: str) -> list[Subject]:
        """Remove the pictures of a stage that are about no single sentence, and return them."""
        taken = [subject for name, groups in self.stages if name == stage for _, group in groups for subject in group]
        self.stages[:] = [(name, groups) for name, groups in self.stages if name != stage]
        return taken


def gallery(experiments: Sequence[Experiment]) -> Gallery:
    """Gather ``reports/**.png``; what exceeds ``MAX_BYTES`` is left out and named."""
    paths = {path for experiment in experiments for path in experiment.list("reports") if path.endswith(".png")}
    room = MAX_BYTES
    left_out = []
    stages: dict[str, dict[str, list[Subject]]] = {}
    for path in sorted(paths, key=lambda path: (path.removesuffix(".png").split("-"), path)):
        contents = [(index, experiment.read_bytes(path)) for index, experiment in enumerate(experiments)]
        present = [(index, data) for index, data in contents if data and data.startswith(_SIGNATURE)]
        shown: list[tuple[int | None, bytes]] = [*present]
        if len(present) == len(experiments) and len({data for _, data in present}) == 1:
            shown = [(None, data) for _, data in present[:1]]
        needed = sum(len(data) for _, data in shown)
        if needed > room or not shown:
            left_out.append(path)
            continue
        room -= needed
        _, stage, *_ = path.split("/")
        sentence, caption = _describe(path)
        subject = Subject(path, caption, [_picture(index, data) for index, data in shown])
        stages.setdefault(stage, {}).setdefault(sentence, []).append(subject)
    return Gallery([(stage, list(found.items())) for stage, found in stages.items()], left_out)


def _picture(experiment: int | None, data: bytes) -> Picture:
    # The chunk IHDR comes first: length, its name, width, height.
    width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))
    return Picture(experiment, f"data:image/png;base64,{base64.b64encode(data).decode()}", width, height)


def _describe(path: str) -> tuple[str, str]:
    """The number of the sentence that a picture is about ("" if about none), and its caption."""
    stem = path.rsplit("/", 1)[-1].removesuffix(".png")
    number, _, kind = stem.partition("-")
    if "/attention/" in path and number.isdigit():
        return number, _ATTENTION.get(kind, kind.replace("-", " "))
    words = stem.replace("_", " ").replace("-", " ")
    return "", words[:1].upper() + words[1:]
