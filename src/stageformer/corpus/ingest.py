"""From a corpus to clean, split tables, in memory that holds hashes but no text.

The corpus is read twice or more: first to decide about every record (``plan.py``), then once for each split, which is
written. The rows of a part are a function of that part (:func:`rows_of_part`); ids are given in the order of the parts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stageformer.artifacts.files import atomic_folder
from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import SCHEMAS, write_parts, write_table
from stageformer.compute.pool import SERIAL, Pool
from stageformer.console.output import say
from stageformer.corpus.filters import fold
from stageformer.corpus.hashes import HashSet, hashes
from stageformer.corpus.labels import LabelSpool
from stageformer.corpus.plan import make_plan, normalised
from stageformer.corpus.references import References
from stageformer.corpus.sources.base import Part, Record, Records, Source
from stageformer.corpus.statistics import Statistics
from stageformer.errors import StageformerError
from stageformer.params.choices import chosen, implementation
from stageformer.params.ingest import Ingest


def open_corpus(params: Ingest, cache: Path) -> Mapping[str, Records]:
    """Return the sources by split. ``train`` is always there; a split that is not is to be split off from it.

    Args:
        params: the parameters of the stage.
        cache: folder for downloads.

    Raises:
        StageformerError: there is no such corpus, or it cannot be downloaded.
    """
    source: type[Source] = implementation(chosen("stageformer.corpus.sources", params.source), Source)
    return source.open(params, cache)


def ingest(corpus: Mapping[str, Records], params: Ingest, output: Path, pool: Pool = SERIAL) -> Statistics:
    """Write ``{,labels/}{train,valid,test}.parquet`` into ``output``, and report what was dropped on stderr.

    ``train`` is filtered, freed of duplicates (the first in reading order stays) and split. A ready-made valid or test
    split is kept line by line. No source of test or valid occurs in train, and none of test in a valid split made here
    (compared normalised, without regard to case). ``id`` counts on through the splits. The tables of labels have the
    same rows as those of the sentences, or none where the corpus has no labels.

    Args:
        corpus: the sources by split, as :func:`open_corpus` gives them.
        params: the parameters of the stage.
        output: folder of the tables; what it holds is replaced only when all are whole.
        pool: what computes the parts; the result is the same.

    Raises:
        StageformerError: a bad record or file, too few pairs left by the filters, a split without a sentence, or a full
            disk.
    """
    statistics = Statistics()
    unfinished = output / ".unfinished"
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=unfinished) as texts:  # where other nodes of a cluster find it, too
            plan = make_plan(corpus, params, References(texts), statistics, pool)
            for split in SPLITS:
                origin = split if split in corpus else "train"
                leaky = [plan.sources[other] for other in _yields_to(split, corpus)]
                rows = partial(rows_of_part, origin=origin, split=split, leaky=leaky, references=plan.references)
                first_id = statistics.total().kept.total()
                parts = _numbered(pool.map(rows, plan.select(corpus[origin], origin, split)), first_id)
                with LabelSpool() as labels:
                    if params.labels != "none":
                        parts = _copied(parts, labels)
                    if write_parts(unfinished / f"{split}.parquet", "sentences", parts, statistics) == 0:
                        raise StageformerError(_empty_split(split, corpus, statistics))
                    write_table(unfinished / "labels" / f"{split}.parquet", "labels", labels.batches())
        with atomic_folder(output / "labels", holds=["*.parquet"]) as folder:
            for split in SPLITS:
                os.replace(unfinished / "labels" / f"{split}.parquet", folder / f"{split}.parquet")
        for split in SPLITS:
            os.replace(unfinished / f"{split}.parquet", output / f"{split}.parquet")
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    for origin, reading in statistics.sources.items():
        say(f"ingest: {origin}: {reading.summary()}")
    return statistics


def rows_of_part(
    part: Part, *, origin: str, split: str, leaky: list[HashSet], references: References
) -> tuple[dict[str, Any], Statistics]:
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
    pairs = [normalised(record) for record in part.records() if isinstance(record, Record)]
    keys = hashes((fold(pair.source),) for pair in pairs)
    is_leak = np.zeros(len(pairs), dtype=bool)
    for sources in leaky:
        is_leak |= sources.contains(keys)
    for pair, leaks in zip(pairs, is_leak.tolist(), strict=True):
        targets, merged = [pair.target], 0
        if split != "train":
            targets, merged = references.of(split, pair.labelled_input, pair.target)
        if leaks:
            statistics.drop(origin, "leak", pair.where, pair.source, pair.target, rows=1 + merged)
            continue
        repeats = pair.weight if split == "train" else 1
        statistics.reading(origin).merged += merged
        statistics.reading(origin).repeated += repeats - 1
        rows += [pair] * repeats
        all_references += [targets] * repeats
    statistics.keep(origin, split, rows, sum(map(len, all_references)))
    columns: dict[str, Any] = {
        "source": [row.input for row in rows],
        "target": [row.target for row in rows],
        "references": all_references,
        "group": [row.group for row in rows],
    }
    schema = SCHEMAS["sentences"]
    columns = {name: pa.array(column, schema.field(name).type) for name, column in columns.items()}
    return {**columns, "labels": [row.labels for row in rows]}, statistics


def _numbered(
    parts: Iterable[tuple[dict[str, Any], Statistics]], first_id: int
) -> Iterator[tuple[dict[str, Any], Statistics]]:
    """Give each row its id."""
    for columns, statistics in parts:
        end = first_id + len(columns["source"])
        yield {"id": range(first_id, end), **columns}, statistics
        first_id = end


def _copied(
    parts: Iterable[tuple[dict[str, Any], Statistics]], labels: LabelSpool
) -> Iterator[tuple[dict[str, Any], Statistics]]:
    """Pass the parts on, and their labels to the spool."""
    for columns, statistics in parts:
        labels.add(columns)
        yield columns, statistics


def _yields_to(split: str, corpus: Mapping[str, Records]) -> tuple[str, ...]:
    """Return the splits whose sources are leaks in this one. A ready-made split keeps its rows, so the other yields."""
    if split == "train":
        return ("valid", "test")
    if split in corpus:
        return ()
    if split == "valid":
        return ("test",)
    return ("valid",) if "valid" in corpus else ()


def _empty_split(split: str, corpus: Mapping[str, Records], statistics: Statistics) -> str:
    total = statistics.total()
    remedy = "loosen the filters of ingest or give more text"
    if split != "train" and split not in corpus:
        remedy = f"raise ingest.{split}_fraction, name ingest.files.{split}, or give more text"
    return f"0 sentences left in {split}: read {total.read:,}, dropped {total.reasons()}; {remedy}"
