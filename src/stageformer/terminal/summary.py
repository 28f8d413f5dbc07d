"""The result of the pipeline: the scores and some translations, as text for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stageformer.artifacts.files import read_json
from stageformer.artifacts.tables import read_table
from stageformer.errors import StageformerError
from stageformer.scoring.labels import LABELS, show_score
from stageformer.terminal.text import columns, labelled

WIDTH = 100
_SYSTEMS = {"beam": "beam search", "greedy": "greedy search", "copy_source": "copied source"}


def summary(root: Path = Path(), examples: int = 12) -> str:
    """Return the scores of the stage evaluate as a table, and translations beside source and reference.

    Args:
        root: of a copy of the repository; what the stage evaluate wrote there is read.
        examples: number of translations, spread evenly over the split.

    Raises:
        StageformerError: the pipeline has not run yet, or an artifact is damaged.
    """
    metrics_path = root / "reports/evaluate/metrics.json"
    metrics = read_json(metrics_path)
    try:
        lines = _scores(metrics)
    except (KeyError, TypeError) as error:
        raise StageformerError(
            f"{metrics_path}: not the metrics of the stage evaluate ({error}); run `dvc repro --force evaluate`"
        ) from None
    table = read_table(root / "data/evaluate/translations.parquet", "translations")
    number = min(examples, table.num_rows)
    rows = [round((place + 0.5) * table.num_rows / number - 0.5) for place in range(number)]
    lines += ["", f"{number} of the {table.num_rows:,} translations:"]
    for row in table.take(rows).to_pylist():
        lines += ["", *_example(row)]
    return "\n".join(lines)


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


def _example(row: dict[str, Any]) -> list[str]:
    fields = [("source", row["source"]), ("translation", row["translation"])]
    if row["exact_match"]:
        return labelled([*fields, ("reference", "the same")], WIDTH)
    reference, *others = row["references"]
    more = f" (and {len(others)} more)" if others else ""
    return labelled([*fields, ("reference", reference + more)], WIDTH)
