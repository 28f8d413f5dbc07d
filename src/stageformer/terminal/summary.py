"""The result of the pipeline: the scores and some translations."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.contents import METRICS, read_translations
from stageformer.experiments.experiment import WORKSPACE, Experiment
from stageformer.scoring.labels import LABELS, show_score
from stageformer.scoring.settings import Settings
from stageformer.scoring.translated import Translated
from stageformer.terminal.text import columns, labelled

WIDTH = 100
_SYSTEMS = {"beam": "beam search", "greedy": "greedy search", "copy_source": "copied source"}


@dataclass(frozen=True)
class Summary:
    """Scores and some translations of the last run."""

    metrics: dict[str, Any]
    """of the stage evaluate"""
    sentences: int
    """in the split"""
    note: str
    """on what the scores may hide; "" for none"""
    translations: list[Translated]

    def text(self) -> str:
        """Return the scores as a table, and translations beside source and reference, for a terminal."""
        lines = [*_scores(self.metrics), *([f"  {self.note}"] if self.note else [])]
        lines += ["", f"{len(self.translations)} of the {self.sentences:,} translations:"]
        for translated in self.translations:
            lines += ["", *_example(translated)]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {"metrics": self.metrics, "translations": [dataclasses.asdict(each) for each in self.translations]}


def summary(root: Path = Path(), examples: int = 12) -> Summary:
    """Read what the stage evaluate wrote.

    Args:
        root: of a copy of the repository.
        examples: number of translations, spread evenly over the split.

    Raises:
        StageformerError: the pipeline has not run yet, or a file is damaged.
    """
    run = Experiment.open(WORKSPACE, root)
    metrics = run.read_json(METRICS)
    settings = Settings.of_metrics(metrics, METRICS)
    found = read_translations(run)
    note = ""
    try:
        _scores(metrics)
        if metrics["beam"]["bleu"] == 0:
            note = settings.scorer([each.references for each in found]).note([each.translation for each in found])
    except (KeyError, TypeError) as error:
        raise StageformerError(
            f"{METRICS}: not the metrics of the stage evaluate ({error}); run `dvc repro --force evaluate`"
        ) from None
    number = min(examples, len(found))
    rows = [round((place + 0.5) * len(found) / number - 0.5) for place in range(number)]
    return Summary(metrics, len(found), note, [found[row] for row in rows])


def _scores(metrics: dict[str, Any]) -> list[str]:
    head = f"{metrics['sentences']:,} sentences of the split {metrics['split']}, perplexity {metrics['perplexity']:.2f}"
    cells = [["", *_SYSTEMS.values()]]
    signatures = []
    for key, label in LABELS.items():
        if key in metrics["beam"]:
            cells.append([label, *(show_score(metrics[system][key]) for system in _SYSTEMS)])
        if key.startswith("bleu") and f"{key}_signature" in metrics:
            signatures.append((label, metrics[f"{key}_signature"]))
    return [head, *columns(cells, right=range(1, len(_SYSTEMS) + 1)), *columns(signatures)]


def _example(translated: Translated) -> list[str]:
    fields = [("source", translated.source), ("translation", translated.translation)]
    if translated.exact_match:
        return labelled([*fields, ("reference", "the same")], WIDTH)
    reference, *others = translated.references
    more = f" (and {len(others)} more)" if others else ""
    return labelled([*fields, ("reference", reference + more)], WIDTH)
