"""A corpus in Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from stageformer.artifacts.reading import check_regular
from stageformer.corpus.files import readable
from stageformer.corpus.sources._arrow import ArrowRows
from stageformer.corpus.sources._rows import Columns
from stageformer.corpus.sources.base import FileSource, Record, Rejected
from stageformer.errors import StageformerError
from stageformer.params.ingest import Ingest

_ROWS = 8_192


@dataclass(frozen=True)
class ParquetSource(FileSource):
    """A pair per row with a string column for each side. A group may be of any type that can be written as text.

    A column inside of another has a name with a dot: ``translation.en`` of a column ``translation`` that is a struct.
    """

    files: tuple[Path, ...]
    columns: Columns

    @classmethod
    def of_files(cls, files: list[list[Path]], params: Ingest) -> Self:
        """See :meth:`FileSource.of_files`."""
        return cls(tuple(chain(*files)), Columns.of(params))

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        for path in self.files:
            check_regular(path)
            try:
                with readable(path), path.open("rb") as file:
                    table = pq.ParquetFile(file)
                    rows = ArrowRows(table.schema_arrow, self.columns, str(path), path.name)
                    yield from rows.records(table.iter_batches(batch_size=_ROWS, columns=rows.outermost))
            except pa.ArrowException as error:
                reason = str(error).splitlines()[0][:200]
                raise StageformerError(f"{path}: not a readable Parquet file ({reason}); copy it again") from None
