"""What ``ingest`` counts: what was read, dropped and kept, examples of what was dropped, and lengths.

The statistics of a corpus are the sum of the statistics of its parts, taken in the order of the parts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.header import SPLITS
from stageformer.corpus.filters import FILTERS
from stageformer.corpus.hashes import HashSet, hashes
from stageformer.corpus.sources.base import Record

REASONS = (
    "untranslated", "empty", "not_utf8", "not_json", "not_text", "missing_field", "label", "reference", *FILTERS, "leak"
)  # fmt: skip
"""Why a record is dropped, in the order of the checks; ``docs/artifacts.md`` explains each."""

SAMPLES = 5
_SAMPLE_CHARACTERS = 200
_LONGEST_BIN = 60
_SIDES = ("source", "target")


@dataclass
class Reading:
    """What became of the records of one source of the corpus: each is kept, merged into another row, or dropped."""

    read: int = 0
    merged: int = 0
    """Rows of valid and test that became further references of an earlier row."""
    repeated: int = 0
    """Rows of train that are there once more, by the weight of their corpus."""
    dropped: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    """By split."""

    def add(self, other: Self) -> None:
        """Add the counts of the next part."""
        self.read += other.read
        self.merged += other.merged
        self.repeated += other.repeated
        self.dropped.update(other.dropped)
        self.kept.update(other.kept)

    def reasons(self) -> str:
        """Return the reasons with their counts in words, for messages."""
        ordered = sorted(self.dropped, key=lambda reason: (REASONS.index(reason) if reason in REASONS else -1, reason))
        return ", ".join(f"{self.dropped[reason]:,} {reason}" for reason in ordered) or "nothing"

    def summary(self) -> str:
        """Return one line on what was read, dropped and kept."""
        dropped = f"dropped {self.dropped.total():,} ({self.reasons()})" if self.dropped else "dropped nothing"
        merged = f", merged {self.merged:,} as further references" if self.merged else ""
        repeated = f", repeated {self.repeated:,} by weight" if self.repeated else ""
        kept = ", ".join(f"{self.kept[split]:,} {split}" for split in SPLITS if self.kept[split])
        pairs = "pair" if self.read == 1 else "pairs"
        return f"read {self.read:,} {pairs}, {dropped}{merged}{repeated}, kept {self.kept.total():,} ({kept or 'none'})"


@dataclass
class SplitStatistics:
    """Counts over the rows that one split keeps."""

    sentences: int = 0
    references: int = 0
    groups: HashSet = field(default_factory=HashSet)
    characters: Counter[str] = field(default_factory=Counter)
    longest: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SIDES, 0))
    labels: Counter[str] = field(default_factory=Counter)
    words: dict[str, Counter[int]] = field(default_factory=lambda: {side: Counter() for side in _SIDES})

    @classmethod
    def of(cls, rows: list[Record], num_references: int) -> Self:
        """Count the rows of one part."""
        counted = cls(sentences=len(rows), references=num_references)
        counted.labels.update(label for row in rows for label in row.labels)
        counted.groups.add(hashes((row.group,) for row in rows if row.group))
        for side in _SIDES:
            texts = [getattr(row, side) for row in rows]
            lengths = [len(text) for text in texts]
            counted.characters[side] = sum(lengths)
            counted.longest[side] = max(lengths, default=0)
            counted.words[side] = Counter(min(text.count(" ") + 1, _LONGEST_BIN) for text in texts if text)
        return counted

    def add(self, other: Self) -> None:
        """Add the counts of the next part."""
        self.sentences += other.sentences
        self.references += other.references
        self.groups.update(other.groups)
        self.labels.update(other.labels)
        self.characters.update(other.characters)
        for side in _SIDES:
            self.longest[side] = max(self.longest[side], other.longest[side])
            self.words[side].update(other.words[side])


class Statistics:
    """Counts over the whole corpus, or over a part of it."""

    def __init__(self) -> None:
        self.sources: dict[str, Reading] = {}
        """By the split that a source of the corpus is for; ``train`` is also split into the others."""
        self.splits = {split: SplitStatistics() for split in SPLITS}
        self.samples: dict[str, list[dict[str, str]]] = {}

    def reading(self, origin: str) -> Reading:
        """Return the counts of the source for this split."""
        return self.sources.setdefault(origin, Reading())

    def drop(self, origin: str, reason: str, where: str, source: str, target: str = "", rows: int = 1) -> None:
        """Count ``rows`` dropped rows, and keep the first few of each reason as examples."""
        self.reading(origin).dropped[reason] += rows
        samples = self.samples.setdefault(reason, [])
        if len(samples) < SAMPLES:
            sample = {"source": source[:_SAMPLE_CHARACTERS], "target": target[:_SAMPLE_CHARACTERS], "where": where}
            samples.append({name: text.encode(errors="replace").decode() for name, text in sample.items()})

    def room(self, reason: str) -> int:
        """Return how many further examples of what this reason drops are kept."""
        return SAMPLES - len(self.samples.get(reason, []))

    def keep(self, origin: str, split: str, rows: list[Record], num_references: int) -> None:
        """Count rows that stay in ``split``."""
        self.reading(origin).kept[split] += len(rows)
        self.splits[split].add(SplitStatistics.of(rows, num_references))

    def add(self, other: Self) -> None:
        """Add the counts of the next part."""
        for origin, reading in other.sources.items():
            self.reading(origin).add(reading)
        for split in SPLITS:
            self.splits[split].add(other.splits[split])
        for reason, samples in other.samples.items():
            self.samples[reason] = [*self.samples.get(reason, []), *samples][:SAMPLES]

    def total(self) -> Reading:
        """Return the counts over all sources of the corpus."""
        total = Reading()
        for reading in self.sources.values():
            total.add(reading)
        return total

    def write(self, folder: Path) -> None:
        """Write ``metrics.json``, ``dropped_samples.json``, ``labels.json`` and ``lengths.csv``.

        Raises:
            StageformerError: the disk is full.
        """
        write_json(folder / "metrics.json", self.metrics())
        write_json(folder / "dropped_samples.json", self.samples)
        write_json(folder / "labels.json", {"labels": self.labels()})
        with atomic_file(folder / "lengths.csv") as file:
            file.write(self.lengths_csv().encode())

    def metrics(self) -> dict[str, Any]:
        """Return the content of ``metrics.json``; lengths are in characters."""
        total = self.total()
        return {
            "read": total.read,
            "kept": total.kept.total(),
            "merged_references": total.merged,
            "repeated": total.repeated,
            "dropped_in_all": total.dropped.total(),
            "dropped": {**dict.fromkeys(REASONS, 0), **total.dropped},
            "sentences": {name: split.sentences for name, split in self.splits.items()},
            "references": {name: split.references for name, split in self.splits.items()},
            "groups": {name: len(split.groups) for name, split in self.splits.items()},
            "characters": {
                f"{name}_{side}": {
                    "sum": split.characters[side],
                    "mean": round(split.characters[side] / max(split.sentences, 1), 2),
                    "longest": split.longest[side],
                }
                for name, split in self.splits.items()
                for side in _SIDES
            },
        }

    def labels(self) -> list[dict[str, str | int]]:
        """Return how often each label is there in each split, the most frequent of train first.

        A list, of which ``dvc metrics`` shows nothing: there may be hundreds.
        """
        counts = {name: split.labels for name, split in self.splits.items()}
        every = sorted(set().union(*counts.values()), key=lambda label: (-counts["train"][label], label))
        return [{"label": label, **{name: counts[name][label] for name in SPLITS}} for label in every]

    def lengths_csv(self) -> str:
        """Return the share of sentences (percent of the split) by length in words, a column for each split and side.

        A word is what is between spaces. The last length counts all sentences that are at least that long.
        """
        columns = [(name, side) for name in SPLITS for side in _SIDES]
        lines = [",".join(["length", *(f"{name}_{side}" for name, side in columns)])]
        for length in range(1, _LONGEST_BIN + 1):
            counts = [(self.splits[name].words[side][length], self.splits[name].sentences) for name, side in columns]
            lines.append(",".join([str(length), *(f"{100 * count / max(of, 1):.4f}" for count, of in counts)]))
        return "\n".join(lines) + "\n"
