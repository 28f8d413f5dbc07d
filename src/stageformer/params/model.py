"""The group ``model``: what encoder and decoder share, and what a training stage may have instead."""

from __future__ import annotations

from typing import Any

from stageformer.model.config import StackConfig
from stageformer.params.base import Params, documented


class Model(Params, documented(StackConfig)):  # type: ignore[misc]  # a base class made at run time
    """What encoder and decoder share: depth, size, dropout. The width is embed.d_model."""


class Stack(Params, documented(StackConfig, null="that of model")):  # type: ignore[misc]
    """The same parameters for the encoder or the decoder alone."""

    def stack_config(self, model: Model, d_model: int) -> StackConfig:
        """Return the layers of this stage, of width ``d_model``.

        Raises:
            ValueError: the values do not fit together; the message begins with the name of one.
        """
        return StackConfig(d_model=d_model, **{name: stated(self, model, name) for name in Model.model_fields})


def stated(own: Stack, model: Model, name: str) -> Any:
    """Return the value of a parameter for one stage: its own, or where that is null the one of ``model``."""
    value = getattr(own, name)
    return getattr(model, name) if value is None else value
