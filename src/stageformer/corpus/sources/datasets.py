"""A corpus that the library ``datasets`` of Hugging Face reads: a folder, or a data set of the hub by its name.

A folder is streamed. A data set of the hub is fetched once, at its pinned revision, and read from the download cache
afterwards. Neither is ever in memory as a whole.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from stageformer.artifacts.header import SPLITS
from stageformer.corpus.sources._arrow import ArrowRows
from stageformer.corpus.sources._rows import Columns
from stageformer.corpus.sources.base import Record, Rejected, Source
from stageformer.errors import StageformerError, require
from stageformer.params.ingest import Datasets, Ingest

NEEDS = ("datasets",)

_ROWS = 1_000


@dataclass(frozen=True)
class DatasetsSource(Source):
    """A pair per row; columns as in Parquet files. Numbers that stand for classes become the names of the classes."""

    params: Datasets
    split: str
    """As the data set names it."""
    columns: Columns
    cache: Path

    @classmethod
    def open(cls, params: Ingest, cache: Path) -> dict[str, Self]:
        """See :meth:`Source.open`. Raises StageformerError when there is no such data set, configuration or split."""
        names = {split: getattr(params.datasets, split) for split in SPLITS}
        found = {
            split: cls(params.datasets, name, Columns.of(params), cache / "datasets")
            for split, name in names.items()
            if name is not None
        }
        for source in found.values():
            source._load()
        return found

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        loaded = self._load()
        place = f"{self.params.path} {self.split}"
        where = f"{Path(self.params.path or '').name} {self.split}"
        try:
            features = loaded.features or {}
            tables = (_with_names(table, features) for table in loaded.with_format("arrow").iter(batch_size=_ROWS))
            first = next(tables, None)
            if first is not None:
                yield from ArrowRows(first.schema, self.columns, place, where).records(chain([first], tables))
        except StageformerError:
            raise
        except Exception as error:  # the library hands on what the readers of each format raise
            raise StageformerError(f"{place}: cannot be read ({_reason(error)})") from None

    def _load(self) -> Any:
        path, revision = str(self.params.path), self.params.revision
        is_folder = Path(path).is_dir()
        if not is_folder and revision is None:
            raise StageformerError(
                f"ingest.datasets.path is {path!r}, which is no folder here; name one, or for a data set of the hub "
                "its commit as ingest.datasets.revision"
            )
        # Each commit and configuration has a cache of its own: offline, the library takes the latest that it finds.
        cache = self.cache if is_folder else self.cache / str(revision) / (self.params.config or "only")
        try:
            return _loaded(path, self.params.config, self.split, None if is_folder else revision, cache)
        except StageformerError:
            raise
        except Exception as error:  # of many classes, some of other packages
            raise StageformerError(f"ingest.datasets: {path}: {_reason(error)}") from None


@functools.cache
def _loaded(path: str, config: str | None, split: str, revision: str | None, cache: Path) -> Any:
    """Return a split of a folder (without a revision), as a stream, or of the hub, prepared in the cache."""
    require("datasets")
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()

    def load() -> Any:
        streaming = revision is None
        return datasets.load_dataset(
            path, config, split=split, revision=revision, streaming=streaming, cache_dir=str(cache)
        )

    if revision is not None and cache.is_dir():
        with _offline(datasets.config), contextlib.suppress(Exception):  # not all of it is there
            return load()
    return load()


@contextlib.contextmanager
def _offline(config: Any) -> Iterator[None]:
    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


def _with_names(table: pa.Table, features: Any) -> pa.Table:
    """Return a table in which the numbers of classes are their names."""
    for place, name in enumerate(table.column_names):
        convert = _namer(features.get(name))
        if convert:
            table = table.set_column(place, name, convert(table.column(name).combine_chunks()))
    return table


def _namer(feature: Any) -> Callable[[Any], Any] | None:
    names = getattr(feature, "names", None)
    if names:
        return functools.partial(_names_of, pa.array(names, pa.string()))
    inner = _namer(getattr(feature, "feature", None)) if feature is not None else None
    if inner is None:
        return None
    return lambda column: pa.ListArray.from_arrays(column.offsets, inner(column.values))


def _names_of(names: Any, numbers: Any) -> Any:
    """Return the name of each number; a negative one stands for no class."""
    return names.take(pc.if_else(pc.less(numbers, pa.scalar(0)), pa.scalar(None, numbers.type), numbers))


def _reason(error: Exception) -> str:
    return " ".join(str(error or type(error).__name__).split())[:300]
