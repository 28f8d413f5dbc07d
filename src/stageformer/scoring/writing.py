"""The files of scores that the stage evaluate writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.tables import read_batches, write_table
from stageformer.scoring.buckets import by_bucket, count_words, length_bucket, rarest_word_buckets
from stageformer.scoring.report import Translations, metrics, table
from stageformer.scoring.settings import Settings
from stageformer.scoring.translated import Translated, translations_json


def write_scores(
    translations: Translations,
    settings: Settings,
    further: Mapping[str, Any],
    *,
    output: Path,
    reports: Path,
    train: Path,
) -> None:
    """Score the translations, and write them with their scores, the metrics, and the scores by kind of sentence.

    Args:
        translations: all sentences.
        settings: what kind of scores.
        further: what the metrics hold besides the scores of the translations.
        output: folder for ``translations.parquet``.
        reports: folder for ``translations.json``, ``metrics.json``, ``by_length.csv`` and ``by_rarest_word.csv``.
        train: table of kind ``sentences``, in whose sources words are counted.

    Raises:
        StageformerError: the table of train cannot be read, or the disk is full.
    """
    scorer = settings.scorer(translations.references)
    scored = table(translations, scorer)
    write_table(output / "translations.parquet", "translations", [scored])
    write_json(reports / "metrics.json", {**further, **metrics(translations, scorer)})
    sources = translations.sources
    rarest_words = rarest_word_buckets(sources, count_words(sources, _sources(train)))
    columns = {name: column for name, column in scored.items() if name != "greedy"} | {"rarest_word": rarest_words}
    rows = [Translated(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    with atomic_file(reports / "translations.json") as file:
        file.write(translations_json(rows))
    tables = {
        "by_length.csv": ("source_words", [length_bucket(source) for source in sources]),
        "by_rarest_word.csv": ("occurrences", rarest_words),
    }
    for name, (column, buckets) in tables.items():
        with atomic_file(reports / name) as file:
            file.write(by_bucket(column, buckets, translations, settings).encode())


def _sources(table: Path) -> Iterator[str]:
    for batch in read_batches(table, "sentences", ["source"]):
        yield from map(str, batch.column("source").to_pylist())
