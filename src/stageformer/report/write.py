"""From experiments to the file: every part is gathered, and the page filled."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from stageformer.artifacts.files import atomic_file
from stageformer.errors import StageformerError
from stageformer.experiments.contents import METRICS
from stageformer.experiments.experiment import Experiment
from stageformer.params.earlier import moved
from stageformer.report import formats, heads, parameters, scores
from stageformer.report.analysis import data_charts, learning_curves, score_charts
from stageformer.report.charts import LETTERS, LOOKS
from stageformer.report.corpus import dropped, labels
from stageformer.report.files import read_object, read_yaml, typed
from stageformer.report.one_side import WithoutTranslations, has_targets
from stageformer.report.overview import overview
from stageformer.report.pictures import Explained, Gallery, explained, gallery
from stageformer.report.pipeline import read_stages
from stageformer.report.scores import chance
from stageformer.report.translations import ROWS_A_PAGE, Column, TranslationTable, read_translations

_FACTS = (
    ("corpus", "ingest", "source"), ("tokenizer", "tokenize", "source"), ("d_model", "embed", "d_model"),
    ("encoder layers", "train_encoder", "num_layers"), ("decoder layers", "train_decoder", "num_layers"),
    ("encoder", "train_decoder", "encoder"),
)


def write_report(experiments: Sequence[Experiment], output: Path, *, root: Path = Path()) -> list[str]:
    """Write the report of one experiment, or of several side by side, as one HTML file.

    The same experiments give the same bytes.

    Args:
        experiments: one, or several that are compared to the first; as many as there are letters at most.
        output: the file.
        root: of the workspace, whose model draws its attention.

    Returns:
        What was left out, a line each.

    Raises:
        StageformerError: the pipeline has not run in an experiment, one of its files is damaged, or ``output`` cannot
            be written.
    """
    if len(experiments) > len(LETTERS):
        raise StageformerError(
            f"a report shows up to {len(LETTERS)} experiments, found {len(experiments)}; `stageformer table` takes any "
            "number"
        )
    content = _gather([_visible(experiment) for experiment in experiments], root)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(_resource),
    )
    environment.filters["marked"] = _marked
    page = environment.get_template("page.html").render(content)
    with atomic_file(output) as file:
        file.write(page.encode())
    return [*content["translations"].notes, *(f"{path}: no room left" for path in content["gallery"].left_out)]


def _visible(experiment: Experiment) -> Experiment:
    return experiment if has_targets(_read_params(experiment)) else WithoutTranslations(experiment)


def _gather(experiments: Sequence[Experiment], root: Path) -> dict[str, Any]:
    metrics = [_read_metrics(experiment) for experiment in experiments]
    params = [_read_params(experiment) for experiment in experiments]
    css, js = _resource("theme.css") + _resource("report.css"), _resource("report.js")
    translations = read_translations(experiments)
    ingest = params[-1].get("ingest", {})
    languages = {side: _language_tag(ingest.get(f"{side}_language")) for side in ("source", "target")}
    tested = chance(experiments)
    reasons, classes = dropped(experiments), labels(experiments)
    analysis, data, pictures = score_charts(experiments), data_charts(experiments), gallery(experiments)
    no_pictures = Explained(reason="The corpus has no targets, and a model of it no decoder.")
    drawn = explained(experiments, root, translations) if any(metrics) else no_pictures
    curves = learning_curves(experiments)
    learned, head_pictures = heads.heads(experiments), pictures.take(heads.STAGE)
    present = {
        "scores": any(metrics) and "Scores", "head": learned and "Head", "pipeline": "Pipeline",
        "parameters": "Parameters",
        "curves": curves and "Learning curves",
        "analysis": analysis and "Scores by kind of sentence", "data": (data or reasons) and "Data",
        "pictures": (pictures.stages or drawn.pictures) and "Pictures",
        "translations": any(metrics) and "Translations",
    }
    runs = [_describe(*run) for run in zip(experiments, params, metrics, strict=True)]
    return {
        "css": css,
        "js": js,
        "css_hash": _csp_hash(css),
        "js_hash": _csp_hash(js),
        "single": len(experiments) == 1,
        "letters": LETTERS,
        "looks": LOOKS,
        "both": formats.both_or_all(len(experiments)),
        "title": " and ".join(experiment.name for experiment in experiments),
        "headline": " → ".join(filter(None, (ingest.get(f"{side}_language") for side in ("source", "target")))) or "?",
        "sections": [(key, name) for key, name in present.items() if name],
        "runs": runs,
        "translated": any(metrics),  # by one of them
        "facts": [fact for fact in runs[0]["facts"] if all(fact in run["facts"] for run in runs)],
        "scored": _scored(metrics),
        "tiles": scores.tiles(metrics, tested.differences),
        "chance": tested.note,
        "signatures": scores.signatures(metrics[-1]),
        "head": learned,
        "head_pictures": head_pictures if learned else [],
        "pipeline": overview([read_stages(experiment) for experiment in experiments]),
        "parameters": _parameters(experiments, params),
        "curves": curves,
        "analysis": analysis,
        "data": data,
        "dropped": reasons,
        "labels": classes,
        "gallery": pictures,
        "explained": drawn,
        "translations": translations,
        "first_rows": translations.rows[:ROWS_A_PAGE],
        "sources": _sources(translations, pictures),
        "languages": languages,
        "show_number": _show_number,
        "footer": _made_with(experiments),
    }


def _read_metrics(experiment: Experiment) -> dict[str, Any]:
    metrics = read_object(experiment, METRICS)
    if metrics is None and (isinstance(experiment, WithoutTranslations) or heads.has_head(experiment)):
        return {}  # It has something else to show.
    if metrics is None:
        raise StageformerError(f"{experiment.name}: there is no {METRICS}; its pipeline has not run yet (`dvc repro`)")
    typed(experiment, METRICS, metrics, sentences=int, split=str, beam=dict)
    return metrics


def _read_params(experiment: Experiment) -> dict[str, Any]:
    found = read_yaml(experiment, "params.yaml") or {}
    for name, group in found.items():
        if not isinstance(group, Mapping):
            raise StageformerError(f"{experiment.name}: params.yaml: {name} is {group!r:.60}, needed a group")
    return moved(found)


def _describe(experiment: Experiment, params: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    names, systems = scores.table(metrics)
    facts = [f"commit {experiment.commit[:10]}"] if experiment.commit else []
    for label, group, key in _FACTS:
        value = params.get(group, {}).get(key)
        if value is None and group in ("train_encoder", "train_decoder"):  # null: that of model
            value = params.get("model", {}).get(key)
        if value is not None:
            facts.append(f"{label} {value['kind'] if isinstance(value, Mapping) else value}")
    return {"name": experiment.name, "facts": facts, "score_names": names, "systems": systems}


def _sources(translations: TranslationTable, pictures: Gallery) -> dict[str, str]:
    """The text of each sentence that there are pictures of; "" of one that is not in the table."""
    texts = {str(row[0]): row[1][0] for row in translations.rows}
    return {number: texts.get(number, "") for _, groups in pictures.stages for number, _ in groups}


def _scored(metrics: Sequence[Mapping[str, Any]]) -> str:
    sizes = [
        f"{run.get('sentences', 0):,} sentences of the split {run.get('split', '?')}" if run else "none"
        for run in metrics
    ]
    by_letter = ", ".join(f"{letter}: {size}" for letter, size in zip(LETTERS, sizes, strict=False))
    what = sizes[0] if len(set(sizes)) == 1 else by_letter
    return f"Beam search on {what}." + {1: "", 2: " Differences are B − A."}.get(len(sizes), " Differences are to A.")


def _parameters(experiments: Sequence[Experiment], params: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    default = moved(read_yaml(experiments[-1], "recipes/default.yaml") or {})
    if len(params) > 1:
        changes = parameters.differences(params)
        heads = [experiment.name for experiment in experiments]
        lead = f"{len(changes)} parameters differ." if len(changes) != 1 else "One parameter differs."
    else:
        changes = parameters.differences([default, params[0]]) if default else []
        heads = ["Default recipe", experiments[0].name]
        lead = f"{len(changes)} differ from the default recipe." if changes else "Every one is at its default."
        lead = lead if default else "As in params.yaml."
    return {"lead": lead, "heads": heads, "differences": changes, "groups": parameters.groups(params)}


def _made_with(experiments: Sequence[Experiment]) -> str:
    lines = []
    for experiment in experiments:
        environment = read_object(experiment, "reports/evaluate/environment.json") or {}
        typed(experiment, "reports/evaluate/environment.json", environment, versions=dict, cpu=str, system=str)
        versions = environment.get("versions") or {}
        parts = [environment.get("cpu"), environment.get("system"), *(
            f"{name} {versions[name]}" for name in ("stageformer", "torch", "sacrebleu") if name in versions
        )]
        if any(parts):
            lines.append(f"{experiment.name}: {', '.join(str(part) for part in parts if part)}")
    return "Computed on " + "; ".join(lines) + "." if lines else "Made by stageformer report."


def _show_number(value: float, column: Column) -> str:
    if column.kind == "id":
        return str(value)
    if column.is_signed:
        return formats.difference(value, column.decimals)
    return formats.number(value, column.decimals)


def _marked(text: str) -> Markup:
    """Return the text as HTML, with what is between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _language_tag(language: object) -> str:
    """A language code, if it is one that HTML allows; for pronunciation and sorting."""
    text = str(language or "").replace("_", "-")
    return text if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", text) else ""


def _csp_hash(text: str) -> str:
    """What the Content-Security-Policy of the page lets run: this text and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _resource(name: str) -> str:
    return resources.files("stageformer.report").joinpath(name).read_text("utf-8")
