"""From what the models computed to the page."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from stageformer.artifacts.files import atomic_file
from stageformer.walk.explanations import explanations
from stageformer.walk.steps import steps
from stageformer.walk.walked import Walked

_SCRIPTS = ("matrix.js", "attention.js", "pictures.js", "walk.js")
MOST_BYTES = 4.5 * 2**20
"""of the matrices of a page; where there are more, W^Q, W^K and W^V, which are the largest, are left out"""


def write_walk(models: Sequence[Walked], output: Path, *, search: str) -> None:
    """Write the walk of one model, or of two side by side, as one HTML file. The same models give the same bytes.

    Args:
        models: one or two, which walked the same sentence
        output: the file
        search: ``greedy``, ``beam`` or ``sampling``

    Raises:
        StageformerError: ``output`` cannot be written.
    """
    found = steps([model.shape for model in models])
    num_bytes = sum(array.nbytes for model in models for array in model.arrays.values()) * 4 / 3  # as base64
    data = {
        "models": [model.as_json(with_projections=num_bytes < MOST_BYTES) for model in models],
        "search": search,
        "explanations": {kind: _as_json(value) for kind, value in explanations(search).items()},
        "steps": [step._asdict() | {"models": taken} for step, taken in found],
    }
    css = _resource("report", "theme.css") + _resource("walk", "walk.css")
    script = "".join(_resource("walk", name) for name in _SCRIPTS)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(lambda name: _resource("walk", name)),
    )  # fmt: skip
    page = environment.get_template("walk.html").render(
        css=css, script=script, css_hash=_hash(css), script_hash=_hash(script), sentence=models[0].normalised,
        translations=[(model.name, model.chosen[-1].text) for model in models],
        # Inside a script element, only what begins a tag is special.
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    )
    with atomic_file(output) as file:
        file.write(page.encode("utf-8", "surrogatepass"))


def _as_json(value: object) -> object:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _as_json(field) for name, field in value._asdict().items()}
    return value


def _hash(text: str) -> str:
    """What the Content-Security-Policy of the page lets run: this text and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _resource(room: str, name: str) -> str:
    return resources.files(f"stageformer.{room}").joinpath(name).read_text("utf-8")
