"""The section of a head in the report: its scores, its pictures, two heads side by side, and corpora of one side."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.heads.evaluation import predictions_json
from stageformer.report.write import write_report
from stageformer.scoring.classification import LabelCounts, Prediction, by_label
from tests.report.conftest import HOSTILE, make_run, png
from tests.report.test_browser import PHONE, browser, playwright  # noqa: F401
from tests.report.test_page import Page

NAMES = ["name", "state", HOSTILE]


def predictions(right: float, number: int = 400) -> list[Prediction]:
    """Of random labels, ``right`` percent of which are predicted; the same labels whatever ``right`` is."""
    chance, labels = random.Random(2), random.Random(1)
    rows = []
    for row in range(number):
        label = labels.choice(NAMES)
        others = [name for name in NAMES if name != label]
        rows.append(Prediction(row, [label], [label if chance.random() < right / 100 else others[row % 2]]))
    return rows


def make_head(root: Path, *, right: float = 75.0, **changes: Any) -> Path:
    """What the stage evaluate_head leaves."""
    folder = root / "reports/evaluate_head"
    folder.mkdir(parents=True, exist_ok=True)
    rows = predictions(right)
    layout = LabelCounts.of("one", rows)
    totals = layout.counts(rows).sum(0)
    scores = layout.scores(totals)
    metrics = {
        "split": "test", "labels": "one", "sentences": 400, "examples": 400, "classes": 3,
        "head": scores | {"accuracy_low": right - 4, "accuracy_high": right + 4},
        "majority": {"accuracy": 36.25, "macro_f1": 17.7},
        "tfidf_logistic_regression": {"accuracy": 70.5, "macro_f1": 66.0},
        "calibration_error": 4.25,
        "accuracy_signature": "percent, share of the sentences with the right label",
    } | changes  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "predictions.json").write_bytes(predictions_json(rows))
    lines = ["label,examples,predicted,precision,recall,f1"]
    for label in by_label(layout, totals):
        values = ",".join(f"{value:.4f}" for value in label[3:])
        quoted = label.label.replace('"', '""')
        lines.append(f'"{quoted}",{label.examples},{label.predicted},{values}')
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    (folder / "confusion.png").write_bytes(png(shade=int(right)))
    (folder / "reliability.png").write_bytes(png(shade=9))
    return root


def report(folder: Path, *roots: Path) -> tuple[str, Page]:
    opened = [Experiment.open(f"./{root.name}", root.parent) for root in roots]
    write_report(opened, folder / "page.html", root=roots[0])
    text = (folder / "page.html").read_text(encoding="utf-8")
    return text, Page(text)


def texts(page: Page) -> list[str]:
    return [data.strip() for _, data in page.texts]


def test_a_head_is_shown_beside_its_baselines(tmp_path: Path) -> None:
    text, page = report(tmp_path, make_head(make_run(tmp_path / "one")))
    shown = texts(page)
    accuracy = 100 * sum(row.labels == row.predicted for row in predictions(75)) / 400
    assert f"{accuracy:.2f} %" in shown
    assert "95 %: 71.0 to 79.0" in shown
    assert "71.0 to 79.0" in shown
    assert shown.index("TF-IDF with logistic regression") > shown.index("the head")
    assert "70.50 %" in shown
    assert any("3 labels of sentences" in data and "400 sentences of the split test" in data for data in shown)
    assert HOSTILE in shown
    assert [attributes["alt"] for attributes in page.all("img") if "of the head" in attributes["alt"]] == [
        "Confusion of the head", "Reliability of the head"
    ]  # fmt: skip
    assert text.count("Confusion") == 2  # The picture is not shown a second time, among the others.
    assert ("a", {"href": "#head"}) in page.elements


def test_two_heads_side_by_side_with_the_interval_of_compare(tmp_path: Path) -> None:
    roots = [make_head(make_run(tmp_path / name), right=right) for name, right in (("one", 70.0), ("two", 85.0))]
    _, page = report(tmp_path, *roots)
    shown = texts(page)
    first, second = (100 * sum(row.labels == row.predicted for row in predictions(right)) / 400 for right in (70, 85))
    assert f"+{second - first:.2f} better" in shown
    assert any(data.startswith("95 %: +") and "p < 0.001".replace(" ", "\N{NO-BREAK SPACE}") in data for data in shown)
    assert "±0 same" in shown  # the calibration error, which is not tested
    alts = [attributes["alt"] for attributes in page.all("img") if "of the head" in attributes["alt"]]
    assert alts == ["Confusion of the head, ./one", "Confusion of the head, ./two", "Reliability of the head"]


def test_of_two_experiments_one_may_have_a_head(tmp_path: Path) -> None:
    _, page = report(tmp_path, make_run(tmp_path / "one"), make_head(make_run(tmp_path / "two")))
    assert any("95 %: 71.0 to 79.0" in data for data in texts(page))
    _, page = report(tmp_path, make_run(tmp_path / "one"), make_run(tmp_path / "three"))
    assert "head" not in [attributes.get("id") for _, attributes in page.elements]


def test_heads_of_other_test_sets_are_not_tested_for_chance(tmp_path: Path) -> None:
    roots = [make_head(make_run(tmp_path / "one")), make_head(make_run(tmp_path / "two"))]
    rows = predictions(75)[:-1]
    (roots[1] / "reports/evaluate_head/predictions.json").write_bytes(predictions_json(rows))
    text, _ = report(tmp_path, *roots)
    assert "was not tested. ./one and ./two have different test sets: 400 and 399 sentences" in text


def test_what_a_learned_mean_reads_is_said(tmp_path: Path) -> None:
    text, _ = report(tmp_path, make_head(make_run(tmp_path / "one"), layer_mix={"0": 0.625, "4": 0.375}))
    assert "the learned mean of ./one reads 0: 62 %, 4: 38 %." in text


def test_of_a_corpus_of_one_side_no_translation_is_shown(tmp_path: Path) -> None:
    root = make_head(make_run(tmp_path / "one"))
    params = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(params.replace("source: lines", "source: brown"))
    text, page = report(tmp_path, root)
    ids = [attributes.get("id") for _, attributes in page.elements]
    assert "head" in ids
    assert not {"scores", "translations", "analysis"} & set(ids)
    assert "Übersetzung" not in text


def test_a_head_needs_no_translations(tmp_path: Path) -> None:
    root = make_head(make_run(tmp_path / "one"))
    (root / "reports/evaluate/metrics.json").unlink()
    _, page = report(tmp_path, root)
    assert "head" in [attributes.get("id") for _, attributes in page.elements]


@pytest.mark.parametrize(
    ("file", "content"),
    [("metrics.json", '{"head": {"accuracy": "high"}}'), ("metrics.json", "[]"), ("labels.csv", "label,examples\na\n"),
     ("metrics.json", '{"head": {}, "layer_mix": [1]}')],
)  # fmt: skip
def test_a_damaged_report_is_one_line(tmp_path: Path, file: str, content: str) -> None:
    root = make_head(make_run(tmp_path / "one"))
    (root / "reports/evaluate_head" / file).write_text(content)
    with pytest.raises(StageformerError, match=rf"^\./one: reports/evaluate_head/{file}: .*"):
        report(tmp_path, root)


def test_it_fits_a_phone(browser: Any, tmp_path: Path) -> None:  # noqa: F811
    roots = [make_head(make_run(tmp_path / name), right=right) for name, right in (("one", 70.0), ("two", 85.0))]
    report(tmp_path, *roots)
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.locator("#head").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    context.close()
