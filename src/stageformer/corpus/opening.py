"""From the parameters to the corpus: one source for each split that the user's files have ready-made."""

from __future__ import annotations

from pathlib import Path

from stageformer.artifacts.header import SPLITS
from stageformer.corpus.sources.base import Source
from stageformer.corpus.sources.homeassistant import HomeAssistantSource
from stageformer.corpus.sources.jsonl import JsonlSource
from stageformer.corpus.sources.lines import LinesSource
from stageformer.corpus.sources.parquet import ParquetSource
from stageformer.corpus.sources.tsv import TsvSource
from stageformer.corpus.wheel import fetch_wheel
from stageformer.params.ingest import Files, Ingest


def open_corpus(params: Ingest, cache: Path) -> dict[str, Source]:
    """Return the sources by split. ``train`` is always there; a split that is not is to be split off from it.

    Args:
        params: the parameters of the stage.
        cache: folder for downloads.

    Raises:
        StageformerError: the default corpus cannot be downloaded.
    """
    if params.source == "homeassistant":
        wheel = fetch_wheel(params.homeassistant, cache)
        return {"train": HomeAssistantSource(wheel, params.source_language, params.target_language)}
    by_split = {split: getattr(params.files, split) for split in SPLITS}
    return {split: _open_files(params.source, params.files, names) for split, names in by_split.items() if names}


def _open_files(kind: str, files: Files, names: list[str]) -> Source:
    path = Path(names[0])
    if kind == "text":
        return LinesSource(path, Path(names[1]))
    if kind == "tsv":
        group = int(files.group_column) if files.group_column is not None else None
        return TsvSource(path, int(files.source_column), int(files.target_column), group)
    kind_of_source = JsonlSource if kind == "jsonl" else ParquetSource
    return kind_of_source(path, files.source_column, files.target_column, files.group_column)
