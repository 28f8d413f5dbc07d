"""From what the models computed to the page."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from stageformer.artifacts.files import atomic_file
from stageformer.console.output import clean
from stageformer.walk.explanations import Explanation, explanations
from stageformer.walk.steps import steps, tour
from stageformer.walk.walked import KINDS_OF_WEIGHTS, Walked

_SCRIPTS = ("matrix.js", "attention.js", "pictures.js", "walk.js")
MOST_BYTES = 5 * 2**20
"""of a page: larger ones open slowly, and mail refuses them. Learned matrices that do not fit are left out."""


def write_walk(models: Sequence[Walked], output: Path) -> list[str]:
    """Write the walk of one model, or of two side by side, as one HTML file. The same models give the same bytes.

    Args:
        models: one or two, which walked the same sentence
        output: the file

    Returns:
        The kinds of learned matrices that were left out, since the page would have been larger than
        :data:`MOST_BYTES`: keys of :data:`~stageformer.walk.walked.KINDS_OF_WEIGHTS`. The page says so.

    Raises:
        StageformerError: ``output`` cannot be written.
    """
    kinds = list(KINDS_OF_WEIGHTS)
    page = _page(models, kinds)
    if (full := len(page)) > MOST_BYTES:
        kinds = []
        for kind in KINDS_OF_WEIGHTS:
            if len(_page(models, [*kinds, kind])) <= MOST_BYTES:
                kinds.append(kind)
        page = _page(models, kinds, full=full)
    with atomic_file(output) as file:
        file.write(page)
    return [kind for kind in KINDS_OF_WEIGHTS if kind not in kinds]


def _page(models: Sequence[Walked], kinds: Sequence[str], *, full: int = 0) -> bytes:
    """Return the page with these kinds of weights; ``full``: bytes of the page with all of them, where some lack."""
    found = steps([model.shape for model in models])
    tour_of = set(tour([step for step, _ in found]))
    data = {
        "models": [
            model.as_json(kinds) | {"explanations": {name: _as_json(one) for name, one in explanations(model).items()}}
            for model in models
        ],
        "full": full / 2**20,
        "steps": [step._asdict() | {"models": taken, "tour": step in tour_of} for step, taken in found],
    }
    css = _resource("report", "theme.css") + _resource("walk", "walk.css")
    script = "".join(_resource("walk", name) for name in _SCRIPTS)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(lambda name: _resource("walk", name)),
    )  # fmt: skip
    page = environment.get_template("walk.html").render(
        css=css, script=script, css_hash=_hash(css), script_hash=_hash(script), sentence=clean(models[0].normalised),
        translations=[(clean(model.name), clean(model.chosen[-1].text)) for model in models],
        # Inside a script element, only what begins a tag is special.
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    )
    return page.encode("utf-8", "surrogatepass")


def _as_json(value: Explanation) -> dict[str, Any]:
    return value._asdict() | {"code": [excerpt._asdict() for excerpt in value.code]}


def _hash(text: str) -> str:
    """What the Content-Security-Policy of the page lets run: this text and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _resource(room: str, name: str) -> str:
    return resources.files(f"stageformer.{room}").joinpath(name).read_text("utf-8")
