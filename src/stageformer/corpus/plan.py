"""The first reading of the corpus: what happens to every record, before any row is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tqdm import tqdm

from stageformer.artifacts.header import SPLITS
from stageformer.corpus.filters import fold, why_dropped
from stageformer.corpus.hashes import FingerprintSet, fingerprint
from stageformer.corpus.references import References
from stageformer.corpus.sources.base import Record, Rejected, Source
from stageformer.corpus.splitting import split_of
from stageformer.corpus.statistics import Report
from stageformer.errors import StageformerError
from stageformer.params.ingest import Ingest
from stageformer.text.normalisation import normalise

_LEFT_OUT = len(SPLITS)


@dataclass
class Plan:
    """What the first reading found out. It holds fingerprints and one byte for each record, but no text."""

    references: References
    """Further targets of the sources of valid and test."""
    decisions: dict[str, bytearray] = field(default_factory=dict)
    """For each source of the corpus: each record's split (its place in ``SPLITS``), or ``_LEFT_OUT``."""
    sources: dict[str, FingerprintSet] = field(
        default_factory=lambda: {"valid": FingerprintSet(), "test": FingerprintSet()}
    )
    """Fingerprints of the folded sources of valid and test."""

    def select(self, corpus: Mapping[str, Source], split: str) -> Iterator[Record]:
        """Read the corpus again, and yield the records, normalised, that the plan gives to this split."""
        origin = split if split in corpus else "train"
        wanted = SPLITS.index(split)
        num_rows = self.decisions[origin].count(wanted)
        with tqdm(total=num_rows, desc=f"ingest: {split}", unit=" pairs", disable=None) as progress:
            for record, decision in zip(corpus[origin], self.decisions[origin], strict=True):
                if decision == wanted and isinstance(record, Record):
                    progress.update()
                    yield record._replace(source=normalise(record.source), target=normalise(record.target))


def make_plan(corpus: Mapping[str, Source], params: Ingest, references: References, report: Report) -> Plan:
    """Read the whole corpus once, and decide which split every record goes to, or why to none.

    A ready-made valid or test split is kept line by line; ``train`` is filtered, freed of duplicates (the first in
    reading order stays) and split.

    Raises:
        StageformerError: a bad record under ``on_bad_line: error``, or what a source itself raises.
    """
    plan = Plan(references)
    seen = FingerprintSet()
    fractions = {
        "valid_fraction": 0.0 if "valid" in corpus else params.valid_fraction,
        "test_fraction": 0.0 if "test" in corpus else params.test_fraction,
    }
    for origin, records in corpus.items():
        decisions = plan.decisions[origin] = bytearray()
        for record in tqdm(records, desc=f"ingest: reading {origin}", unit=" pairs", disable=None):
            report.read += 1
            decisions.append(_LEFT_OUT)
            if isinstance(record, Rejected):
                if record.message and params.on_bad_line == "error":
                    raise StageformerError(record.message)
                report.drop(record.reason, record.where, record.source)
                continue
            source, target = normalise(record.source), normalise(record.target)
            split = origin
            if origin == "train":
                reason = why_dropped(source, target, params)
                if reason is None and not seen.add(fingerprint(source, target)):
                    reason = "duplicate"
                if reason is not None:
                    report.drop(reason, record.where, source, target)
                    continue
                split = split_of(record.group or fold(source), params.seed, **fractions)
            if split != "train":
                plan.sources[split].add(fingerprint(fold(source)))
                if params.merge_references and plan.references.add(split, source, target):
                    continue
            decisions[-1] = SPLITS.index(split)
    return plan
