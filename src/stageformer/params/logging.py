"""Parameters of the loggers beside DVCLive."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from stageformer.params.base import OneOf, Params, param
from stageformer.params.choices import kinds

LOGGERS = tuple(kinds("stageformer.training.loggers"))


class Logging(Params):
    """Who else is told the learning curves. It changes no output, so that no stage depends on it."""

    loggers: list[Annotated[str, OneOf(LOGGERS)]] = param(
        "beside DVCLive, each with an extra of its name: `pip install 'stageformer[tensorboard]'`; []: none"
    )
    project: str = param("wandb: name of the project; mlflow: name of the experiment")
    folder: str = param("what they write on this machine; each obeys its own environment variables, too")

    @model_validator(mode="after")
    def _each_logger_once(self) -> Self:
        if len(set(self.loggers)) != len(self.loggers):
            raise ValueError(f"loggers is {self.loggers}; needed each once")
        return self
