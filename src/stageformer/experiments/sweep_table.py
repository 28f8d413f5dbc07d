"""The table of a sweep: means over seeds, beside what others published, and whether it points the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stageformer.experiments.experiment import Experiment
from stageformer.experiments.sweep import Sweep, SweepRow
from stageformer.experiments.table import Row, Table, averaged, interval_of_mean, make_table
from stageformer.params.seeds import SEEDS
from stageformer.scoring.labels import LABELS


def sweep_table(sweep: Sweep, finished: Mapping[str, Experiment]) -> tuple[Table, Table]:
    """Return the table of every experiment that is there, and that of the means over seeds, in the order of the sweep.

    Where a paper has scores, each has two columns: its score, and its effect against the first row, which is ``same``
    or ``opposite`` here, or ``not told apart`` where the interval of the difference, seed by seed, has zero in it.
    """
    every = make_table([finished[run.name] for run in sweep.runs if run.name in finished])
    groups = {
        row.name: [run.name for run in sweep.runs if run.row == row.name and run.name in finished] for row in sweep.rows
    }
    means = averaged(every, groups, SEEDS)
    by_seed = {
        row.name: {run.seed: one for run in sweep.runs if run.row == row.name for one in every.rows
                   if one.name == run.name}
        for row in sweep.rows
    }  # fmt: skip
    rows = {row.name: row for row in sweep.rows}
    shown = [_with_published(row, rows[row.name], sweep.rows[0], by_seed) for row in means.rows]
    missing = [
        f"{row.name}: {len(sweep.seeds) - len(groups[row.name])} of {len(sweep.seeds)} seeds are missing"
        for row in sweep.rows
        if len(groups[row.name]) < len(sweep.seeds)
    ]
    return every, replace(means, rows=shown, notes=[*means.notes, *missing])


def _with_published(row: Row, declared: SweepRow, base: SweepRow, by_seed: Mapping[str, Mapping[int, Row]]) -> Row:
    beside = dict(row.beside)
    for name, value in declared.published.items():
        label = LABELS.get(name, name)
        beside[f"{label}, published"] = f"{value:g}"
        if declared is base or name not in base.published:
            continue
        effect = value - base.published[name]
        pairs = [
            (own.scores[name], by_seed[base.name][seed].scores[name])
            for seed, own in by_seed[row.name].items()
            if seed in by_seed[base.name] and name in own.scores and name in by_seed[base.name][seed].scores
        ]
        beside[f"{label}, direction"] = f"{effect:+.3g}: {_direction([own - theirs for own, theirs in pairs], effect)}"
    return replace(row, beside=beside)


def _direction(differences: list[float], effect: float) -> str:
    if len(differences) < 2:
        return "too few seeds"
    interval = interval_of_mean(differences)
    if interval.low <= 0 <= interval.high:
        return "not told apart"
    if effect == 0:
        return "differs here"
    return "same" if (interval.low > 0) == (effect > 0) else "opposite"
