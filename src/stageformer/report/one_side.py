"""Experiments whose corpus has one side alone: what the stages of translation have left is that of another run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stageformer.experiments.experiment import Experiment

_STAGES = ("train_decoder", "translate", "evaluate", "export")


def has_targets(params: Mapping[str, Any]) -> bool:
    """Say whether the corpus has pairs, from ``params.yaml`` as it was read.

    Where it does not say, it has: every version before had.
    """
    ingest = params.get("ingest") or {}
    source, files = ingest.get("source"), ingest.get("files")
    if source == "brown":
        return False
    if source in ("homeassistant", None):
        return ingest.get("target_language", "") is not None
    if source in ("cmudict", "letters") or not isinstance(files, Mapping):
        return True
    return files.get("target_column", "") is not None


class WithoutTranslations(Experiment):
    """An experiment without the reports of the stages that need targets, which git has of the commit before.

    Args:
        experiment: whose corpus has one side alone
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self.name = experiment.name
        self.commit = experiment.commit

    def last_commit(self) -> Experiment | None:
        """See :meth:`Experiment.last_commit`."""
        return self._experiment.last_commit()

    def read_bytes(self, path: str) -> bytes | None:
        """See :meth:`Experiment.read_bytes`."""
        return None if _is_hidden(path) else self._experiment.read_bytes(path)

    def list(self, folder: str) -> list[str]:
        """See :meth:`Experiment.list`."""
        return [path for path in self._experiment.list(folder) if not _is_hidden(path)]


def _is_hidden(path: str) -> bool:
    return path.startswith(tuple(f"reports/{stage}/" for stage in _STAGES))
