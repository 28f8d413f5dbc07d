"""The first reading of the corpus: what happens to every record, before any row is written.

The work on a part of the corpus is a function of that part (:func:`judge_part`). What depends on the parts before it is
done in their order: duplicates, and further references of a source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import tee

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stageformer.artifacts.header import SPLITS
from stageformer.compute.pool import Pool
from stageformer.corpus.filters import FILTERS, fold, why_dropped
from stageformer.corpus.hashes import Hashes, HashSet, hashes
from stageformer.corpus.references import References
from stageformer.corpus.sources.base import ROWS, Part, Record, Records, Rejected, parts_of
from stageformer.corpus.statistics import Reading, Statistics
from stageformer.errors import StageformerError
from stageformer.params.ingest import Ingest
from stageformer.text.normalisation import normalise

_LEFT_OUT = len(SPLITS)


@dataclass
class Plan:
    """What the first reading found out. It holds hashes and one byte for each record, but no text."""

    references: References
    """Further targets of the sources of valid and test."""
    decisions: dict[str, bytearray] = field(default_factory=dict)
    """For each source of the corpus: each record's split (its place in ``SPLITS``), or ``_LEFT_OUT``."""
    sources: dict[str, HashSet] = field(default_factory=lambda: {"valid": HashSet(), "test": HashSet()})
    """The folded sources of valid and test."""

    def select(self, source: Records, origin: str, split: str) -> Iterator[Part]:
        """Read a source of the corpus again, and yield the records that the plan gives to this split, in parts.

        Raises:
            StageformerError: the corpus is another one than before.
        """
        wanted, decisions = SPLITS.index(split), np.frombuffer(self.decisions[origin], dtype=np.uint8)
        start = 0
        for part in _parts(source, f"ingest: {split}", len(decisions)):
            here = decisions[start : start + len(part)]
            start += len(part)
            if start > len(decisions):
                break
            places = np.flatnonzero(here == wanted)
            if len(places):
                yield part.only(places.tolist())
        if start != len(decisions):
            raise StageformerError(f"the corpus of {origin} changed while it was read; run ingest again")


def make_plan(
    corpus: Mapping[str, Records], params: Ingest, references: References, statistics: Statistics, pool: Pool
) -> Plan:
    """Read the whole corpus once, and decide which split each record belongs to, or that it is dropped.

    What workers send back holds the text of valid and test alone: the examples of duplicates are read again here.

    Raises:
        StageformerError: a bad record under ``on_bad_line: error``, what a source itself raises, or the filters left
            less than ``min_kept``.
    """
    plan = Plan(references)
    seen = HashSet()
    fractions = {
        "valid_fraction": 0.0 if "valid" in corpus else params.valid_fraction,
        "test_fraction": 0.0 if "test" in corpus else params.test_fraction,
    }
    for origin, source in corpus.items():
        decisions = plan.decisions[origin] = bytearray()
        reading = statistics.reading(origin)
        judge = partial(judge_part, origin=origin, params=params, fractions=fractions)
        parts, again = tee(_parts(source, f"ingest: reading {origin}"))
        for judged, part in zip(pool.map(judge, parts), again, strict=False):
            before = reading.read
            statistics.add(judged.statistics)
            is_left = np.ones(len(judged.places), dtype=bool)
            if origin == "train" and params.drop_duplicates:
                is_left = seen.add(judged.pair_hashes)
                _drop_duplicates(part, judged.places[~is_left].tolist(), statistics)
            for split, sources in plan.sources.items():
                rows = np.flatnonzero(is_left & (judged.splits == SPLITS.index(split)))
                sources.add(judged.source_hashes[rows])
                if params.merge_references:
                    pairs = [judged.pairs[row] for row in rows.tolist()]
                    is_left[rows[references.add(split, pairs)]] = False
            decided = np.full(reading.read - before, _LEFT_OUT, dtype=np.uint8)
            decided[judged.places[is_left]] = judged.splits[is_left]
            decisions += decided.tobytes()
        if origin == "train":
            _check_enough_is_left(reading, params.min_kept)
    return plan


def _drop_duplicates(part: Part, places: list[int], statistics: Statistics) -> None:
    """Count the records at these places of a part of train as duplicates, and keep the first as examples."""
    shown = places[: statistics.room("duplicate")]
    for record in part.only(shown).records():
        if isinstance(record, Record):
            pair = normalised(record)
            statistics.drop("train", "duplicate", pair.where, pair.source, pair.target)
    if len(places) > len(shown):
        statistics.reading("train").dropped["duplicate"] += len(places) - len(shown)


@dataclass(frozen=True)
class Judged:
    """What can be said about the records of a part from the part alone."""

    statistics: Statistics
    """Of the records that were read, and of those that were dropped."""
    places: NDArray[np.int64]
    """Which records are left."""
    pairs: dict[int, tuple[str, str]]
    """Of those of them that may become further references, by their number: input with its labels, and target."""
    splits: NDArray[np.int64]
    """The split that each of them would go to."""
    pair_hashes: Hashes
    """Of both sides, with the tag and the labels."""
    source_hashes: Hashes
    """Of the folded source."""


def judge_part(part: Part, origin: str, params: Ingest, fractions: Mapping[str, float]) -> Judged:
    """Normalise and filter the records of a part, and give each a split.

    Raises:
        StageformerError: a bad record under ``on_bad_line: error``.
    """
    statistics = Statistics()
    statistics.reading(origin).read = len(part)
    places, pairs, splits = [], [], []
    for place, record in enumerate(part.records()):
        if isinstance(record, Rejected):
            if record.message and params.on_bad_line == "error":
                raise StageformerError(record.message)
            statistics.drop(origin, record.reason, record.where, record.source)
            continue
        pair = normalised(record)
        split = origin
        if origin == "train":
            if reason := why_dropped(pair.source, pair.target if params.has_targets else None, params):
                statistics.drop(origin, reason, pair.where, pair.source, pair.target)
                continue
            split = split_of(pair.group or fold(pair.source), params.seed, **fractions)
        places.append(place)
        pairs.append(pair)
        splits.append(SPLITS.index(split))
    return Judged(
        statistics,
        np.array(places, dtype=np.int64),
        {
            row: (pair.labelled_input, pair.target)
            for row, pair in enumerate(pairs)
            if params.merge_references and splits[row] != SPLITS.index("train")
        },
        np.array(splits, dtype=np.int64),
        hashes((pair.labelled_input, pair.target) for pair in pairs),
        hashes((fold(pair.source),) for pair in pairs),
    )


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


def normalised(record: Record) -> Record:
    """Return the record with both sides normalised."""
    return record._replace(source=normalise(record.source), target=normalise(record.target))


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


def _parts(source: Records, title: str, total: int | None = None) -> Iterator[Part]:
    """Yield the parts of a source of the corpus, and show how many records were handed out."""
    with tqdm(total=total, desc=title, unit=" pairs", disable=None) as progress:
        for part in parts_of(source, ROWS):
            yield part
            progress.update(len(part))
