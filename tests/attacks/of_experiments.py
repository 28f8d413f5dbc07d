"""Comparisons with a copy of the repository that is broken, and with revisions that are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.harness import Attack, anything, attacks
from tests.attacks.making import DROP, away, document, params, setting, write


@attacks("commands: experiments")
def experiments() -> Iterator[Attack]:
    """`table`, `compare`, `report` and `walk --against` with a copy of the repository that is broken."""
    metrics, lock = "other/reports/evaluate/metrics.json", "other/dvc.lock"
    cases: dict[str, Callable[[Path], Any]] = {
        "no metrics": away(metrics),
        "metrics of text": write(metrics, "x"),
        "metrics []": write(metrics, "[]"),
        "metrics null": write(metrics, "null"),
        "metrics of texts": document(metrics, lambda c: dict.fromkeys(c, "\x1b[31m<b>")),
        "metrics of lists": document(metrics, lambda c: {name: [[]] for name in c}),
        "deep metrics": write(metrics, "[" * 10**5),
        "huge numbers": document(metrics, lambda c: dict.fromkeys(c, 10**400)),
        "NaN": write(metrics, '{"bleu": NaN}'),
        "no parameters": away("other/params.yaml"),
        "parameters of text": write("other/params.yaml", "x"),
        "a group that is a number": setting("other/params.yaml", ingest=5),
        "a group less": setting("other/params.yaml", embed=DROP),
        "keys with escapes": setting("other/params.yaml", **{"embed__seed": "\x1b[31m\nforged"}),
        "an unknown group": setting("other/params.yaml", more={"\x1b[31m": ["<script>"]}),
        "no lock": away(lock),
        "a lock of text": write(lock, "x"),
        "stages 5": setting(lock, stages=5),
        "evaluate 5": setting(lock, stages__evaluate=5),
        "no translations": away("other/reports/evaluate/translations.json"),
        "translations of text": write("other/reports/evaluate/translations.json", "x"),
        "translations null": write("other/reports/evaluate/translations.json", "null"),
        "a cost of text": write("other/reports/evaluate/cost.json", '{"seconds": "x"}'),
        "an environment of numbers": write("other/reports/evaluate/environment.json", '{"versions": 5, "cpu": []}'),
        "curves of text": write(
            "other/reports/train_encoder/plots/metrics/train_loss.tsv", "step\ttrain_loss\nx\tnan\n"
        ),
        "a field of a million letters": write("other/reports/evaluate/by_length.csv", "a,b\n" + "x" * 10**6),
        "no dvc.yaml": away("other/dvc.yaml"),
        "dvc.yaml of text": write("other/dvc.yaml", "a: 5"),
    }
    for name, change in cases.items():

        def prepare(root: Path, change: Callable[[Path], Any] = change) -> None:
            shutil.copytree(root, root / "other", ignore=shutil.ignore_patterns("other"))
            change(root)

        for command in (
            ("table", "workspace", "other"),
            ("compare", "workspace", "other"),
            ("report", "workspace", "other"),
            ("status", "--root", "other"),
            ("summary", "--root", "other"),
        ):
            # What is missing or odd is left out or said; what is asked for and is not there is refused.
            yield Attack(f"{command[0]}: {name}", command, prepare, anything, memory=6 * 2**30)
    for name in (
        "HEAD",
        "HEAD~99",
        "HEAD:params.yaml",
        "no-such",
        "--",
        "@{-1}",
        "HEAD^{tree}",
        ":",
        "..",
        "other",
        "data",
        "a..b",
    ):
        for command in (("table", name), ("walk", "one", "--against", name), ("compare", name), ("report", name)):
            yield Attack(
                f"{' '.join(command)}",
                command,
                right=anything if name in ("HEAD", "data", "--") else None,
                memory=6 * 2**30,
            )
    yield Attack("a recipe of params", ("check",), params(embed__d_model=DROP))
