"""The model of an experiment: of the workspace, another copy, a git revision or a DVC experiment."""

from __future__ import annotations

import tempfile
from pathlib import Path

from stageformer.artifacts.files import atomic_file
from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.translator.model_folder import MODEL
from stageformer.translator.translator import Translator

_FILES = ("dvc.yaml", "params.yaml", MODEL)
_FOLDERS = ("data/tokenize/tokenizer", "data/vocab")


def load_translator(experiment: Experiment) -> Translator:
    """Load the model of an experiment, wherever its files are.

    Raises:
        StageformerError: it has no model, or a file of it is damaged or not in DVC's cache.
    """
    if experiment.read_bytes(MODEL) is None:
        raise StageformerError(f"{experiment.name}: there is no {MODEL}; its pipeline has not run yet")
    paths = [*_FILES, *(path for folder in _FOLDERS for path in experiment.list(folder) if "/." not in path)]
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            content = experiment.read_bytes(path)
            if content is not None:
                with atomic_file(Path(folder) / path) as file:
                    file.write(content)
        return Translator.load(folder)
