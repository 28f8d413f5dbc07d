"""What ``ingest`` tells about the corpus: counts, examples of what was dropped, and lengths."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.header import SPLITS
from stageformer.corpus.hashes import FingerprintSet, fingerprint
from stageformer.corpus.sources.base import REASONS

SAMPLES = 5
_SAMPLE_CHARACTERS = 200
_LONGEST_BIN = 60
_SIDES = ("source", "target")


@dataclass
class SplitReport:
    """Counts over the rows that one split keeps."""

    sentences: int = 0
    references: int = 0
    groups: FingerprintSet = field(default_factory=FingerprintSet)
    characters: Counter[str] = field(default_factory=Counter)
    longest: Counter[str] = field(default_factory=Counter)
    words: dict[str, Counter[int]] = field(default_factory=lambda: {side: Counter() for side in _SIDES})

    def add(self, source: str, target: str, group: str, num_references: int) -> None:
        """Count one row."""
        self.sentences += 1
        self.references += num_references
        if group:
            self.groups.add(fingerprint(group))
        for side, text in (("source", source), ("target", target)):
            self.characters[side] += len(text)
            self.longest[side] = max(self.longest[side], len(text))
            self.words[side][min(text.count(" ") + 1, _LONGEST_BIN)] += 1


class Report:
    """Counts over the whole corpus. Every record read is kept in a split, merged into another row, or dropped."""

    def __init__(self) -> None:
        self.read = 0
        self.merged = 0
        self.dropped: Counter[str] = Counter()
        self.samples: dict[str, list[dict[str, str]]] = {}
        self.splits = {split: SplitReport() for split in SPLITS}

    def drop(self, reason: str, where: str, source: str, target: str = "", rows: int = 1) -> None:
        """Count ``rows`` dropped rows, and keep the first few of each reason as examples."""
        self.dropped[reason] += rows
        samples = self.samples.setdefault(reason, [])
        if len(samples) < SAMPLES:
            sample = {"source": source[:_SAMPLE_CHARACTERS], "target": target[:_SAMPLE_CHARACTERS], "where": where}
            samples.append({name: text.encode(errors="replace").decode() for name, text in sample.items()})

    def write(self, folder: Path) -> None:
        """Write ``metrics.json``, ``dropped_samples.json`` and ``lengths.csv``.

        Raises:
            StageformerError: the disk is full.
        """
        write_json(folder / "metrics.json", self.metrics())
        write_json(folder / "dropped_samples.json", self.samples)
        with atomic_file(folder / "lengths.csv") as file:
            file.write(self.lengths_csv().encode())

    def reasons(self) -> str:
        """Return the reasons with their counts in words, for messages."""
        return ", ".join(f"{self.dropped[reason]} {reason}" for reason in REASONS if self.dropped[reason]) or "nothing"

    def metrics(self) -> dict[str, Any]:
        """Return the content of ``metrics.json``; lengths are in characters."""
        return {
            "read": self.read,
            "kept": sum(split.sentences for split in self.splits.values()),
            "merged_references": self.merged,
            "dropped_in_all": self.dropped.total(),
            "dropped": {reason: self.dropped[reason] for reason in REASONS},
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

    def lengths_csv(self) -> str:
        """Return the share of sentences (percent of the split) by length in words, a column for each split and side.

        A word is what stands between spaces. The last length counts all sentences that are at least that long.
        """
        columns = [(name, side) for name in SPLITS for side in _SIDES]
        lines = [",".join(["length", *(f"{name}_{side}" for name, side in columns)])]
        for length in range(1, _LONGEST_BIN + 1):
            counts = [(self.splits[name].words[side][length], self.splits[name].sentences) for name, side in columns]
            lines.append(",".join([str(length), *(f"{100 * count / max(of, 1):.4f}" for count, of in counts)]))
        return "\n".join(lines) + "\n"
