"""From the parameters of a stack of layers to its configuration."""

from __future__ import annotations

import dataclasses

from stageformer.model.config import StackConfig
from stageformer.params.training import Stack


def stack_config(params: Stack, d_model: int) -> StackConfig:
    """Return the configuration of a stack of layers, as a stage's parameters describe it."""
    names = {field.name for field in dataclasses.fields(StackConfig)} - {"d_model"}
    return StackConfig(d_model=d_model, **{name: getattr(params, name) for name in names})
