"""Learning curves, and scores by kind of sentence, as charts of the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from stageformer.experiments.experiment import Experiment
from stageformer.report.charts import LETTERS, LOOKS, BarChart, Drawn, LineChart, Section, Series, draw_bars, draw_lines
from stageformer.report.files import numbers, read_columns
from stageformer.report.formats import both_or_all

STAGES = ("train_encoder", "train_decoder")

_CHARTS = (
    ("Loss", "cross-entropy with label smoothing, nats a token", (("train_loss", "train"), ("valid_loss", "valid"))),
    ("Perplexity", "of valid, logarithmic", (("valid_perplexity", "valid"),)),
    ("Learning rate", "at each validation", (("learning_rate", "learning rate"),)),
)

Curve = list[tuple[float, float]]


def learning_curves(experiments: Sequence[Experiment]) -> list[Drawn]:
    """Draw loss, perplexity and learning rate over the updates of the encoder's and then the decoder's training.

    A stage that trained nothing has no curve. Of several experiments, each has its colour; what one of them did not
    log, is missing for it.

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
                look = LOOKS[index] + (" under" if index == 0 and len(experiments) > 1 else "")
                if name == "train_loss":
                    look += " dashed"
                if pieces:
                    legend = label if len(experiments) == 1 else f"{LETTERS[index]}, {label}"
                    series.append(Series(legend, look, pieces))
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


SIDES = ("source", "target")

_LENGTH = ("reports/evaluate/by_length.csv", "by length", "words of the source; below, number of sentences")
_RAREST = (
    "reports/evaluate/by_rarest_word.csv", "by rarest word of the source",
    "occurrences of that word in train; below, number of sentences",
)
_SCORES = (("bleu", "BLEU", _LENGTH), ("chrf", "chrF", _LENGTH), ("bleu", "BLEU", _RAREST))


def score_charts(experiments: Sequence[Experiment]) -> list[Drawn]:
    """Draw BLEU and chrF by the length of the source, and BLEU by its rarest word, as far as the experiments have them.

    Raises:
        StageformerError: a table is damaged.
    """
    charts = []
    for key, name, (path, by, x_label) in _SCORES:
        tables = [(e, columns) for e in experiments if key in (columns := read_columns(e, path) or {})]
        if not tables:
            continue
        bins = _bins(tables[0][1])
        counts = tables[0][1].get("sentences", [""] * len(bins))
        series = []
        for experiment, columns in tables:
            values = dict(zip(_bins(columns), numbers(experiment, path, key, columns[key]), strict=True))
            index = experiments.index(experiment)
            name_of = experiment.name if len(experiments) == 1 else f"{LETTERS[index]}: {experiment.name}"
            series.append((name_of, LOOKS[index], [values.get(label) for label in bins]))
        categories = [(_shown(label), count) for label, count in zip(bins, counts, strict=True)]
        charts.append(draw_bars(BarChart(f"{name} {by}", x_label, "beam search", categories, series)))
    return charts


def data_charts(experiments: Sequence[Experiment]) -> list[Drawn]:
    """Draw the lengths of train in words and in tokens, and the coverage of its tokens, a line for each side.

    Of several experiments whose data are the same, one is drawn.

    Raises:
        StageformerError: a table is damaged.
    """
    charts = []
    for path, title, x_label, y_label, columns_of in _DATA:
        contents = [experiment.read_bytes(path) for experiment in experiments]
        is_same = len(contents) > 1 and all(content == contents[0] for content in contents)
        series = []
        for index, experiment in enumerate(experiments[:1] if is_same else experiments):
            columns = read_columns(experiment, path)
            for side in SIDES if columns else ():
                points = columns_of(experiment, path, columns or {}, side)
                if points:
                    name = side if len(experiments) == 1 or is_same else f"{LETTERS[index]}, {side}"
                    if len(experiments) == 1 or is_same:
                        look = "a" if side == "source" else "b dashed"
                    else:
                        look = LOOKS[index] + (" dashed" if side == "target" else "")
                    series.append(Series(name, look, [points]))
        if series:
            title += f", the same in {both_or_all(len(experiments))}" if is_same else ""
            charts.append(draw_lines(LineChart(title, x_label, y_label, series, log_x=True, from_zero=True)))
    return charts


Points = list[tuple[float, float]]


def _words(experiment: Experiment, path: str, columns: dict[str, list[str]], side: str) -> Points:
    return _points(experiment, path, columns, "length", f"train_{side}", lambda row: True)


def _tokens(experiment: Experiment, path: str, columns: dict[str, list[str]], side: str) -> Points:
    sides, splits = columns.get("side", []), columns.get("split", [])
    is_kept = (side, "train")
    return _points(experiment, path, columns, "length", "sentences", lambda row: (sides[row], splits[row]) == is_kept)


def _coverage(experiment: Experiment, path: str, columns: dict[str, list[str]], side: str) -> Points:
    sides = columns.get("side", [])
    return _points(experiment, path, columns, "types", "coverage", lambda row: sides[row] == side)


def _points(
    experiment: Experiment, path: str, columns: dict[str, list[str]], x: str, y: str, is_kept: Callable[[int], bool]
) -> Points:
    if x not in columns or y not in columns:
        return []
    rows = [row for row in range(len(columns[x])) if is_kept(row)]
    across, up = (numbers(experiment, path, name, [columns[name][row] for row in rows]) for name in (x, y))
    return list(zip(across, up, strict=True))


_DATA = (
    ("reports/ingest/lengths.csv", "Words a sentence", "words, logarithmic", "percent of the sentences", _words),
    ("reports/tokenize/lengths.csv", "Tokens a sentence", "tokens, logarithmic", "sentences", _tokens),
    ("reports/vocab/coverage.csv", "Vocabulary coverage", "most frequent tokens, logarithmic",
     "share of the running tokens", _coverage),
)


def _bins(columns: dict[str, list[str]]) -> list[str]:
    """The first column, which says what the rows are about."""
    return next(iter(columns.values()))


def _shown(label: str) -> str:
    """``03-04`` as people write it; the zeros are there so that DVC sorts the bins right."""
    return re.sub(r"\b0+(?=\d)", "", label).replace("-", "–")
