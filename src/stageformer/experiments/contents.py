"""What an experiment holds for others to compare: parameters, scores, translations. Every file of these is in git."""

from __future__ import annotations

from typing import Any

from stageformer.experiments.experiment import Experiment
from stageformer.params.differences import Difference, compare
from stageformer.params.earlier import moved
from stageformer.params.reading import parse_yaml
from stageformer.scoring.translated import PATH, Translated, parse_translations

PARAMETERS = "params.yaml"
METRICS = "reports/evaluate/metrics.json"


def read_parameters(experiment: Experiment) -> dict[str, Any]:
    """Return the parameters by group, as this version has them; none if the experiment has no parameter file.

    Raises:
        StageformerError: the file is not readable as YAML.
    """
    content = experiment.read_bytes(PARAMETERS)
    return {} if content is None else moved(parse_yaml(content, f"{experiment.name}: {PARAMETERS}"))


def read_translations(experiment: Experiment) -> list[Translated]:
    """Return the translations by beam search.

    Raises:
        StageformerError: they are missing or damaged.
    """
    return parse_translations(experiment.read_json(PATH), f"{experiment.name}: {PATH}")


def changes_since_commit(experiment: Experiment) -> tuple[Difference, ...] | None:
    """Return the parameters of a folder that differ from those of its last commit: the commit's value -> the present.

    Returns:
        None of a revision, and of a folder without a commit, or whose commit has no parameter file.

    Raises:
        StageformerError: a parameter file is not readable as YAML.
    """
    committed = experiment.last_commit()
    if committed is None or committed.read_bytes(PARAMETERS) is None:
        return None
    return tuple(compare(read_parameters(committed), read_parameters(experiment)))
