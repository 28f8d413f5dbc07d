"""The learning curves of the two training stages, one behind the other on one axis."""

from __future__ import annotations

from collections.abc import Sequence

from stageformer.experiments.experiment import Experiment
from stageformer.report.charts import LETTERS, LOOKS, Drawn, LineChart, Section, Series, draw_lines
from stageformer.report.files import numbers, read_columns

STAGES = ("train_encoder", "train_decoder")

_CHARTS = (
    ("Loss", "cross-entropy with label smoothing, nats a token", (("train_loss", "train"), ("valid_loss", "valid"))),
    ("Perplexity", "of valid, logarithmic", (("valid_perplexity", "valid"),)),
    ("Learning rate", "at each validation", (("learning_rate", "learning rate"),)),
)

Curve = list[tuple[float, float]]


def learning_curves(experiments: Sequence[Experiment]) -> list[Drawn]:
    """Draw loss, perplexity and learning rate over the updates of the encoder's and then the decoder's training.

    A stage that trained nothing has no curve. Of two experiments, each has its colour; what one of them did not log,
    is missing for it.

    Raises:
        StageformerError: a curve is damaged.
    """
    curves = {
        (index, stage, name): curve
        for index, experiment in enumerate(experiments) for stage in STAGES for _, _, names in _CHARTS
        for name, _ in names if (curve := _read(experiment, stage, name))
    }
    sections: list[Section] = []
    for stage in STAGES:
        start = sections[-1].end if sections else 0.0
        lengths = [curve[-1][0] for (_, of, _), curve in curves.items() if of == stage]
        if lengths:
            sections.append(Section(stage, start, start + max(lengths)))
    charts = []
    for title, y_label, names in _CHARTS:
        series = []
        for index in range(len(experiments)):
            for name, label in names:
                pieces = [
                    [(section.start + step, value) for step, value in curves[index, section.name, name]]
                    for section in sections if (index, section.name, name) in curves
                ]
                # Where the curves of two experiments fall together, the wider one below stays visible.
                look = LOOKS[index] + (" under" if (index, len(experiments)) == (0, 2) else "")
                if name == "train_loss":
                    look += " dashed"
                if pieces:
                    told = label if len(experiments) == 1 else f"{LETTERS[index]}, {label}"
                    series.append(Series(told, look, pieces))
        if series:
            chart = LineChart(
                title, "updates", y_label, series, log_y=title == "Perplexity", from_zero=title == "Learning rate",
                sections=sections,
            )
            charts.append(draw_lines(chart))
    return charts


def _read(experiment: Experiment, stage: str, name: str) -> Curve:
    path = f"reports/{stage}/plots/metrics/{name}.tsv"
    columns = read_columns(experiment, path)
    if not columns or name not in columns or "step" not in columns:
        return []
    steps, values = (numbers(experiment, path, column, columns[column]) for column in ("step", name))
    return list(zip(steps, values, strict=True))
