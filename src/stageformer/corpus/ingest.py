"""From a corpus to clean, split tables, in memory that holds hashes but no text.

The corpus is read twice or more. The first reading decides about every record; then each split is read again and
written. The work on a part of the corpus is a function of that part (:func:`_judge`, :func:`_rows`); what depends on
the parts before it (duplicates, ids) is done in their order.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import write_parts
from stageformer.corpus.filters import FILTERS, fold, why_dropped
from stageformer.corpus.hashes import Hashes, HashSet, hashes
from stageformer.corpus.references import References
from stageformer.corpus.sources.base import Record, Rejected, Source
from stageformer.corpus.statistics import Reading, Statistics
from stageformer.errors import StageformerError
from stageformer.params.choices import chosen, implementation
from stageformer.params.ingest import Ingest
from stageformer.text.normalisation import normalise

_ROWS = 4_096
"""Records in a part."""
_LEFT_OUT = len(SPLITS)

Part = list[Record | Rejected]


def open_corpus(params: Ingest, cache: Path) -> dict[str, Source]:
    """Return the sources by split. ``train`` is always there; a split that is not is to be split off from it.

    Args:
        params: the parameters of the stage.
        cache: folder for downloads.

    Raises:
        StageformerError: there is no such corpus, or it cannot be downloaded.
    """
    source: type[Source] = implementation(chosen("stageformer.corpus.sources", params.source), Source)
    return source.open(params, cache)


def ingest(corpus: Mapping[str, Source], params: Ingest, output: Path) -> Statistics:
    """Write ``{train,valid,test}.parquet`` (kind ``sentences``) into ``output``, and report what was dropped on stderr.

    ``train`` is filtered, freed of duplicates (the first in reading order stays) and split. A ready-made valid or test
    split is kept line by line. No source of test or valid occurs in train, and none of test in a valid split made here
    (compared normalised, without regard to case). ``id`` counts on through the splits.

    Args:
        corpus: the sources by split, as :func:`open_corpus` gives them.
        params: the parameters of the stage.
        output: folder of the tables; what it holds is replaced only when all three are whole.

    Raises:
        StageformerError: a bad record or file, too few pairs left by the filters, a split without a sentence, or a full
            disk.
    """
    statistics = Statistics()
    unfinished = output / ".unfinished"
    try:
        with tempfile.TemporaryFile() as texts:
            plan = _plan(corpus, params, References(texts), statistics)
            for split in SPLITS:
                origin = split if split in corpus else "train"
                leaky = [plan.sources[other] for other in _yields_to(split, corpus)]
                rows = partial(_rows, origin=origin, split=split, leaky=leaky, references=plan.references)
                first_id = statistics.total().kept.total()
                parts = _numbered(map(rows, plan.select(corpus[origin], origin, split)), first_id)
                if write_parts(unfinished / f"{split}.parquet", "sentences", parts, statistics) == 0:
                    raise StageformerError(_empty_split(split, corpus, statistics))
        for split in SPLITS:
            os.replace(unfinished / f"{split}.parquet", output / f"{split}.parquet")
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    for origin, reading in statistics.sources.items():
        print(f"ingest: {origin}: {reading.summary()}", file=sys.stderr)
    return statistics


def split_of(group: str, seed: int, valid_fraction: float, test_fraction: float) -> str:
    """Return the split of a group: decided by its name and the seed alone.

    Adding groups to the corpus, or taking some away, never moves another group. A larger ``valid_fraction`` only moves
    groups from train to valid.
    """
    number = int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big")
    position = number / 2**64
    if position < test_fraction:
        return "test"
    return "valid" if position < test_fraction + valid_fraction else "train"


@dataclass
class _Plan:
    """What the first reading found out. It holds hashes and one byte for each record, but no text."""

    references: References
    """Further targets of the sources of valid and test."""
    decisions: dict[str, bytearray] = field(default_factory=dict)
    """For each source of the corpus: each record's split (its place in ``SPLITS``), or ``_LEFT_OUT``."""
    sources: dict[str, HashSet] = field(default_factory=lambda: {"valid": HashSet(), "test": HashSet()})
    """The folded sources of valid and test."""

    def select(self, source: Source, origin: str, split: str) -> Iterator[list[Record]]:
        """Read a source of the corpus again, and yield the records that the plan gives to this split, in parts."""
        wanted, decisions = SPLITS.index(split), self.decisions[origin]
        with tqdm(total=len(decisions), desc=f"ingest: {split}", unit=" pairs", disable=None) as progress:
            start = 0
            for part in _parts(source):
                here = decisions[start : start + len(part)]
                start += len(part)
                progress.update(len(part))
                yield [
                    record
                    for record, decision in zip(part, here, strict=True)
                    if decision == wanted and isinstance(record, Record)
                ]


def _parts(source: Iterable[Record | Rejected]) -> Iterator[Part]:
    part: Part = []
    for record in source:
        part.append(record)
        if len(part) == _ROWS:
            yield part
            part = []
    if part:
        yield part


def _normalised(record: Record) -> Record:
    return record._replace(source=normalise(record.source), target=normalise(record.target))


@dataclass(frozen=True)
class _Judged:
    """What can be said about the records of a part from the part alone."""

    statistics: Statistics
    """Of the records that were read, and of those that were dropped."""
    places: NDArray[np.int64]
    """Which records are left."""
    pairs: list[Record]
    """Those records, normalised."""
    splits: NDArray[np.int64]
    """The split that each of them would go to."""
    pair_hashes: Hashes
    """Of both sides."""
    source_hashes: Hashes
    """Of the folded source."""


def _judge(part: Part, origin: str, params: Ingest, fractions: Mapping[str, float]) -> _Judged:
    """Normalise and filter the records of a part, and give each a split.

    Raises:
        StageformerError: a bad record under ``on_bad_line: error``.
    """
    statistics = Statistics()
    statistics.reading(origin).read = len(part)
    places, pairs, splits = [], [], []
    for place, record in enumerate(part):
        if isinstance(record, Rejected):
            if record.message and params.on_bad_line == "error":
                raise StageformerError(record.message)
            statistics.drop(origin, record.reason, record.where, record.source)
            continue
        pair = _normalised(record)
        split = origin
        if origin == "train":
            if reason := why_dropped(pair.source, pair.target, params):
                statistics.drop(origin, reason, pair.where, pair.source, pair.target)
                continue
            split = split_of(pair.group or fold(pair.source), params.seed, **fractions)
        places.append(place)
        pairs.append(pair)
        splits.append(SPLITS.index(split))
    return _Judged(
        statistics,
        np.array(places, dtype=np.int64),
        pairs,
        np.array(splits, dtype=np.int64),
        hashes((pair.source, pair.target) for pair in pairs),
        hashes((fold(pair.source),) for pair in pairs),
    )


def _plan(corpus: Mapping[str, Source], params: Ingest, references: References, statistics: Statistics) -> _Plan:
    """Read the whole corpus once, and decide which split every record goes to, or that it is left out.

    Raises:
        StageformerError: a bad record under ``on_bad_line: error``, what a source itself raises, or the filters left
            less than ``min_kept``.
    """
    plan = _Plan(references)
    seen = HashSet()
    fractions = {
        "valid_fraction": 0.0 if "valid" in corpus else params.valid_fraction,
        "test_fraction": 0.0 if "test" in corpus else params.test_fraction,
    }
    for origin, source in corpus.items():
        decisions = plan.decisions[origin] = bytearray()
        reading = statistics.reading(origin)
        judge = partial(_judge, origin=origin, params=params, fractions=fractions)
        for judged in map(judge, _parts(tqdm(source, desc=f"ingest: reading {origin}", unit=" pairs", disable=None))):
            before = reading.read
            statistics.add(judged.statistics)
            is_left = np.ones(len(judged.pairs), dtype=bool)
            if origin == "train" and params.drop_duplicates:
                is_left = seen.add(judged.pair_hashes)
                for row in np.flatnonzero(~is_left).tolist():
                    pair = judged.pairs[row]
                    statistics.drop(origin, "duplicate", pair.where, pair.source, pair.target)
            for split, sources in plan.sources.items():
                rows = np.flatnonzero(is_left & (judged.splits == SPLITS.index(split)))
                sources.add(judged.source_hashes[rows])
                if params.merge_references:
                    pairs = [judged.pairs[row] for row in rows.tolist()]
                    is_left[rows[references.add(split, [(pair.source, pair.target) for pair in pairs])]] = False
            decided = np.full(reading.read - before, _LEFT_OUT, dtype=np.uint8)
            decided[judged.places[is_left]] = judged.splits[is_left]
            decisions += decided.tobytes()
        if origin == "train":
            _check_enough_is_left(reading, params.min_kept)
    return plan


def _check_enough_is_left(reading: Reading, min_kept: float) -> None:
    """Raise StageformerError when the filters left less than this share of the pairs that reached them."""
    filtered = {reason: reading.dropped[reason] for reason in FILTERS if reading.dropped[reason]}
    pairs = reading.read - reading.dropped.total() + sum(filtered.values())
    left = pairs - sum(filtered.values())
    if filtered and left < max(min_kept * pairs, 1):
        most = max(filtered, key=lambda reason: filtered[reason])
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in filtered.items())
        raise StageformerError(
            f"the filters of ingest leave {left:,} of {pairs:,} pairs: dropped {reasons}; check which columns are "
            f"read, switch the filter off (ingest.{FILTERS[most]}), or lower ingest.min_kept ({min_kept})"
        )


def _rows(
    part: list[Record], *, origin: str, split: str, leaky: list[HashSet], references: References
) -> tuple[dict[str, list[Any]], Statistics]:
    """Return the columns of a part of one split, without ``id`` and without the leaks, and its statistics.

    Args:
        part: the records of the split.
        origin: which source of the corpus they are from.
        split: the split.
        leaky: the sources of the splits with which this one must share none.
        references: further targets of sources of valid and test.
    """
    statistics = Statistics()
    rows: list[Record] = []
    all_references: list[list[str]] = []
    pairs = [_normalised(record) for record in part]
    keys = hashes((fold(pair.source),) for pair in pairs)
    is_leak = np.zeros(len(pairs), dtype=bool)
    for sources in leaky:
        is_leak |= sources.contains(keys)
    for pair, leaks in zip(pairs, is_leak.tolist(), strict=True):
        targets, merged = references.of(split, pair.source, pair.target) if split != "train" else ([pair.target], 0)
        if leaks:
            statistics.drop(origin, "leak", pair.where, pair.source, pair.target, rows=1 + merged)
            continue
        statistics.reading(origin).merged += merged
        rows.append(pair)
        all_references.append(targets)
    statistics.keep(origin, split, rows, sum(map(len, all_references)))
    columns: dict[str, list[Any]] = {
        "source": [row.source for row in rows],
        "target": [row.target for row in rows],
        "references": all_references,
        "group": [row.group for row in rows],
    }
    return columns, statistics


def _numbered(
    parts: Iterable[tuple[dict[str, list[Any]], Statistics]], first_id: int
) -> Iterator[tuple[dict[str, Any], Statistics]]:
    """Give each row its id."""
    for columns, statistics in parts:
        end = first_id + len(columns["source"])
        yield {"id": range(first_id, end), **columns}, statistics
        first_id = end


def _yields_to(split: str, corpus: Mapping[str, Source]) -> tuple[str, ...]:
    """Return the splits whose sources are leaks in this one. A ready-made split keeps its rows, so the other yields."""
    if split == "train":
        return ("valid", "test")
    if split in corpus:
        return ()
    if split == "valid":
        return ("test",)
    return ("valid",) if "valid" in corpus else ()


def _empty_split(split: str, corpus: Mapping[str, Source], statistics: Statistics) -> str:
    total = statistics.total()
    remedy = "loosen the filters of ingest or give more text"
    if split != "train" and split not in corpus:
        remedy = f"raise ingest.{split}_fraction, name ingest.files.{split}, or give more text"
    return f"0 sentences left in {split}: read {total.read:,}, dropped {total.reasons()}; {remedy}"
