"""What a plan is based on: the last run, or where that tells nothing, a calibration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stageformer.artifacts.header import SPLITS
from stageformer.errors import StageformerError
from stageformer.experiments.work import STAGES, Corpus
from stageformer.params.groups import Parameters
from stageformer.planning.calibration import calibrate as run_calibration
from stageformer.planning.measured import Measured, last_run

_WITHOUT_TARGETS = STAGES[: STAGES.index("train_decoder")]


@dataclass(frozen=True)
class Basis:
    """Runs that were measured, and how large the corpus is."""

    runs: list[Measured]
    corpus: Corpus
    stages: tuple[str, ...]
    remarks: list[str]

    def corpus_of(self, pairs: int, parameters: Parameters) -> Corpus:
        """Return a corpus of so many pairs read, of the same kind. Splits with files of their own stay as they are."""
        own = {split for split in SPLITS[1:] if getattr(parameters.ingest.files, split)}
        factor = pairs / max(1, self.corpus.read)
        return self.corpus.scaled({split: 1.0 if split in own else factor for split in SPLITS}, pairs)


def find_basis(parameters: Parameters, root: Path, calibrate: bool) -> Basis:
    """Find what is known of this machine and this corpus.

    Args:
        parameters: for which a run is planned.
        root: of the repository.
        calibrate: do not ask the last run.

    Raises:
        StageformerError: as :func:`~stageformer.planning.calibration.calibrate`.
    """
    stages = STAGES if parameters.ingest.has_targets else _WITHOUT_TARGETS
    if not calibrate:
        try:
            run = last_run(root, parameters, stages)
        except StageformerError as reason:
            remark = f"calibrated, since {reason}"
        else:
            return Basis([run], run.corpus, stages, ["the rates are those of the last run"])
    else:
        remark = "calibrated"
    runs, corpus = run_calibration(parameters, root, stages)
    return Basis(runs, corpus, stages, [remark])
