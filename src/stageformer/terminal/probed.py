"""What `stageformer probe` prints."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator

from stageformer.probing.probe import Probed, mean_and_sd, summary
from stageformer.terminal.json_text import json_text
from stageformer.terminal.text import columns


def probed_lines(probed: Probed) -> Iterator[str]:
    """Yield a table with a row for each layer, and what the mix reads. Numbers are percent, mean ± sd of the seeds."""
    train, tested = probed.examples
    yield (
        f"{probed.classes} labels, {train:,} examples of train, {tested:,} tested; most frequent label "
        f"{_percent(mean_and_sd(probed.majority))}"
    )
    header = ["layer", "accuracy %", "control task %", "selectivity", "random encoder %"]
    rows = [[name, *map(_percent, values)] for name, values in summary(probed)]
    yield from columns([header, *rows], right=range(1, len(header)))
    shares = [statistics.fmean(values) for values in zip(*probed.mix, strict=True)]
    yield "the mix reads: " + ", ".join(f"layer {layer} {share:.0%}" for layer, share in enumerate(shares))


def _percent(value: tuple[float, float]) -> str:
    mean, sd = value
    return f"{100 * mean:.1f}" + ("" if math.isnan(sd) else f" ± {100 * sd:.1f}")


def probed_json(probed: Probed) -> str:
    """Return everything, with the values of each seed."""
    places = [
        {**dataclasses.asdict(place), "selectivity": place.selectivity} for place in probed.places
    ]
    return json_text({**dataclasses.asdict(probed), "places": places})
