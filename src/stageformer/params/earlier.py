"""Parameter files of earlier versions, in which each training stage said the size of its layers by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stageformer.params.model import Model

_STAGES = ("train_encoder", "train_decoder")
_MARKS = ("num_layers", "num_heads", "d_ff", "norm")


def is_earlier(values: object) -> bool:
    """Say whether parameters have no group ``model``, and the size of the layers in both training stages."""
    if not isinstance(values, Mapping) or "model" in values:
        return False
    groups = [values.get(stage) for stage in _STAGES]
    return all(isinstance(group, Mapping) and None not in map(group.get, _MARKS) for group in groups)


def moved(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as this version has them: what the encoder said is that of ``model``.

    The decoder keeps what differs from it, and is null otherwise. Parameters of this version stay as they are.
    """
    if not is_earlier(values):
        return dict(values)
    encoder, decoder = (dict(values[stage]) for stage in _STAGES)
    model = {name: encoder.get(name) for name in Model.model_fields}
    # repr: 1 and 1.0 and true are three values here, though equal in Python.
    own = {name: None for name, value in model.items() if repr(decoder.get(name)) == repr(value)}
    result: dict[str, Any] = {}
    for key, group in values.items():
        if key == "train_encoder":
            result["model"] = model
            result[key] = dict.fromkeys(model) | {name: encoder[name] for name in encoder if name not in model}
        else:
            result[key] = dict.fromkeys(own) | decoder | own if key == "train_decoder" else group
    return result
