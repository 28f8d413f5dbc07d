"""Whether the differences between two experiments may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.scoring.significance import NUM_SAMPLES, BootstrapResult


@dataclass(frozen=True)
class Chance:
    """What paired bootstrap resampling tells, by name of the score; nothing for one experiment."""

    differences: Mapping[str, BootstrapResult] = field(default_factory=dict)
    note: str = ""
    """how it was tested, or why it was not"""


def chance(experiments: Sequence[Experiment]) -> Chance:
    """Compare two experiments as ``stageformer compare`` does."""
    if len(experiments) != 2:
        return Chance()
    # It imports sacreBLEU, which a report on one experiment need not wait for.
    from stageformer.experiments.comparison import compare

    try:
        differences = compare(*experiments, num_changed=0).differences
    except StageformerError as error:
        return Chance(note=f"Whether the differences may be chance was not tested. {error}.")
    note = (
        f"Interval and p by paired bootstrap resampling, {NUM_SAMPLES:,} samples; `stageformer compare` names the "
        "sentences that changed most."
    )
    return Chance(differences, note)
