"""A comparison of two experiments as text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stageformer.console.output import clean
from stageformer.experiments.comparison import Bucket, Change, Comparison
from stageformer.experiments.heads import HeadComparison
from stageformer.params.differences import Difference
from stageformer.scoring.classification import SCORES
from stageformer.scoring.labels import LABELS
from stageformer.scoring.significance import NUM_SAMPLES, SEED, BootstrapResult
from stageformer.terminal.text import columns, labelled

WIDTH = 100


def comparison_text(comparison: Comparison) -> str:
    """Return the differences with intervals and p-values, the scores by kind of sentence, and what changed most."""
    first, second = comparison.names
    lines = [
        f"A: {first}, B: {second}",
        f"{comparison.sentences:,} sentences of the split {comparison.split}, {comparison.references:,} references; "
        f"{comparison.same_translations:,} translations are the same",
        *parameter_lines(comparison.parameters, comparison.since_commit),
        "",
        *difference_lines(comparison.differences, LABELS),
        "",
        "By words of the source:",
        *_buckets(comparison.by_length, "words"),
        "",
        f"By the rarest word of the source, how often it occurs in the training text of {first}:",
        *_buckets(comparison.by_rarest_word, "occurrences"),
    ]
    if comparison.changed:
        lines += ["", f"The {len(comparison.changed)} translations that changed most, by chrF of the sentence:"]
    for change in comparison.changed:
        lines += ["", *_change(change)]
    return "\n".join(lines)


def parameter_lines(
    parameters: Sequence[Difference], since_commit: Sequence[Sequence[Difference] | None]
) -> list[str]:
    """Return the parameters in which A and B differ, and in which each differs from its last commit."""
    lines = _listed("Parameters that differ, A -> B", parameters)
    for letter, changes in zip("AB", since_commit, strict=True):
        # Beside HEAD, the same list would follow twice.
        if changes and list(changes) != list(parameters):
            lines += _listed(f"What {letter} differs in from the last commit (HEAD)", changes)
    return lines


def _listed(title: str, found: Sequence[Difference]) -> list[str]:
    if not found:
        return ["", f"{title}: none"]
    return ["", f"{title}:", *(f"  {clean(str(difference))}" for difference in found)]


def difference_lines(differences: Mapping[str, BootstrapResult], names: Mapping[str, str]) -> list[str]:
    """Return the scores of A and B with interval and p, how each is computed, and how it was tested."""
    cells = [["", "A", "B", "B - A", "95 % interval", "p"]]
    for name, found in differences.items():
        interval = f"{found.low:+z.2f} to {found.high:+z.2f}"
        scores = [f"{found.first:.2f}", f"{found.second:.2f}", f"{found.difference:+z.2f}"]
        cells.append([names[name], *scores, interval, f"{found.p:.3f}"])
    return [
        *columns(cells, right=range(1, 6)),
        *columns([(names[name], found.signature) for name, found in differences.items()]),
        f"  Paired bootstrap resampling, {NUM_SAMPLES:,} samples, seed {SEED}.",
    ]


def _buckets(buckets: Sequence[Bucket], title: str) -> list[str]:
    cells = [[title, "sentences", "BLEU A", "B", "B - A", "chrF A", "B", "B - A"]]
    for bucket in buckets:
        scores = [
            text
            for first, second in (bucket.bleu, bucket.chrf)
            for text in (f"{first:.2f}", f"{second:.2f}", f"{second - first:+z.2f}")
        ]
        # The zeros are there for sorting by name.
        cells.append([re.sub(r"\b0+(?=\d)", "", bucket.name), f"{bucket.sentences:,}", *scores])
    return columns(cells, right=range(1, 8))


def _change(change: Change) -> list[str]:
    first, second = change.chrf
    reference, *others = change.references
    more = f" (and {len(others)} more)" if others else ""
    fields = [
        ("source", change.source),
        ("reference", reference + more),
        ("A", change.translations[0]),
        ("B", change.translations[1]),
    ]
    return [f"  id {change.id}: chrF {first:.1f}, {second:.1f} ({second - first:+z.1f})", *labelled(fields, WIDTH)]


def head_comparison_text(comparison: HeadComparison) -> str:
    """Return the differences of two heads with intervals and p-values, F1 by label, and sentences where they differ."""
    first, second = comparison.names
    cells = [["label", "examples", "F1 A", "B", "B - A"]]
    for label in comparison.by_label:
        one, other = label.f1
        cells.append([label.label, f"{label.examples:,}", f"{one:.2f}", f"{other:.2f}", f"{other - one:+z.2f}"])
    lines = [
        f"A: {first}, B: {second}",
        f"{comparison.sentences:,} sentences of the split {comparison.split}; of {comparison.same_predictions:,} both "
        "heads say the same",
        *parameter_lines(comparison.parameters, comparison.since_commit),
        "",
        *difference_lines(comparison.differences, SCORES),
        "",
        "By label, F1 in percent:",
        *columns(cells, right=range(1, 5)),
    ]
    if comparison.changed:
        lines += ["", "Sentences with other labels, those of which one head is right first:"]
    for change in comparison.changed:
        texts = [" ".join(labels) for labels in (change.labels, *change.predicted)]
        lines += ["", f"  id {change.id}", *labelled(list(zip(("right", "A", "B"), texts, strict=True)), WIDTH)]
    return "\n".join(lines)
