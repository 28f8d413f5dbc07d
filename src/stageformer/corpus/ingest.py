"""From a corpus to clean, split tables, in memory that holds fingerprints but no text."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import write_table
from stageformer.corpus.filters import fold
from stageformer.corpus.hashes import fingerprint
from stageformer.corpus.plan import Plan, make_plan
from stageformer.corpus.references import References
from stageformer.corpus.sources.base import Source
from stageformer.corpus.statistics import Report
from stageformer.errors import StageformerError
from stageformer.params.ingest import Ingest

_ROWS = 4_096
_COLUMNS = ("id", "source", "target", "references", "group")


def ingest(corpus: Mapping[str, Source], params: Ingest, output: Path) -> Report:
    """Write ``{train,valid,test}.parquet`` (kind ``sentences``) into ``output``.

    No source of test or valid occurs in train, and none of test in a valid split made here (compared normalised,
    without regard to case); the rows of a ready-made valid or test split all stay. ``id`` counts on through the splits.

    Args:
        corpus: the sources by split, as :func:`stageformer.corpus.opening.open_corpus` gives them.
        params: the parameters of the stage.
        output: folder of the tables; what stands there is replaced only when all three are whole.

    Raises:
        StageformerError: a bad record or file, a split without a sentence, or a full disk.
    """
    report = Report()
    unfinished = output / ".unfinished"
    try:
        with tempfile.TemporaryFile() as texts:
            plan = make_plan(corpus, params, References(texts), report)
            next_id = 0
            for split in SPLITS:
                rows = _rows(plan, corpus, params, split, next_id, report)
                count = write_table(unfinished / f"{split}.parquet", "sentences", rows)
                if count == 0:
                    raise StageformerError(_empty_split(split, corpus, report))
                next_id += count
        for split in SPLITS:
            os.replace(unfinished / f"{split}.parquet", output / f"{split}.parquet")
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return report


def _rows(
    plan: Plan, corpus: Mapping[str, Source], params: Ingest, split: str, next_id: int, report: Report
) -> Iterator[dict[str, Any]]:
    """Yield the columns of one split in batches, without the leaks."""
    foreign = _splits_that_must_not_share_a_source(split, corpus)
    rows: list[tuple[int, str, str, list[str], str]] = []
    for record in plan.select(corpus, split):
        references, merged = [record.target], 0
        if params.merge_references and split != "train":
            references, merged = plan.references.of(split, record.source, record.target)
        key = fingerprint(fold(record.source))
        if any(key in plan.sources[other] for other in foreign):
            report.drop("leak", record.where, record.source, record.target, rows=1 + merged)
            continue
        report.merged += merged
        report.splits[split].add(record.source, record.target, record.group, len(references))
        rows.append((next_id, record.source, record.target, references, record.group))
        next_id += 1
        if len(rows) == _ROWS:
            yield dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
            rows.clear()
    if rows:
        yield dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))


def _splits_that_must_not_share_a_source(split: str, corpus: Mapping[str, Source]) -> tuple[str, ...]:
    """Return the splits whose sources are leaks in this one. A ready-made split keeps its rows, so the other yields."""
    if split == "train":
        return ("valid", "test")
    if split in corpus:
        return ()
    if split == "valid":
        return ("test",)
    return ("valid",) if "valid" in corpus else ()


def _empty_split(split: str, corpus: Mapping[str, Source], report: Report) -> str:
    mend = "loosen the filters of ingest or give more text"
    if split != "train" and split not in corpus:
        mend = f"raise ingest.{split}_fraction, name ingest.files.{split}, or give more text"
    return f"0 sentences left in {split}: read {report.read}, dropped {report.reasons()}; {mend}"
