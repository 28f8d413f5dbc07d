"""What services answered, recorded once: a content-addressed store, and the part of it that a run used.

The store is a folder of tables (kind ``answers``), each named by the hash of its content and never changed. Every
answer has a key: the hash of what was asked (:class:`Asked`) and of the text. The address of the server and the name of
the variable that holds the secret are in no key, so that a proxy or another port is the same model.

A run that asked a service has its answers, and no others, as an output, which DVC keeps and shares. Every stage takes
them into the store before it does anything (:mod:`stageformer.artifacts.stock`): a later stage may be the one that
removes that output.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stageformer.artifacts.files import atomic_folder
from stageformer.artifacts.tables import read_table, write_table
from stageformer.errors import StageformerError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """What decides an answer, beside the text."""

    protocol: str
    model: str
    revision: str | None
    dimensions: int | None

    def key(self, text: str) -> str:
        """Return the key of the answer to a text: a SHA-256."""
        return _sha256([*asdict(self).values(), text])

    @property
    def fingerprint(self) -> str:
        """Names whom the answers are of: a SHA-256."""
        return _sha256([*asdict(self).values()])


def _sha256(values: Sequence[object]) -> str:
    content = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


class Answers:
    """The store.

    Args:
        folder: of the store, which need not exist
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used: dict[str, tuple[str, Floats]] = {}
        self.unchanged: set[Asked] = set()
        """Those that were found to answer as before, in this run."""

    def find(self, asked: Asked, texts: Iterable[str]) -> dict[str, Floats]:
        """Return the recorded answers to those of the texts that have one; they count as used.

        Raises:
            StageformerError: a table of the store is damaged.
        """
        wanted = {asked.key(text): text for text in texts}
        found = {}
        for path in sorted(self._folder.glob("*.parquet")):
            try:
                table = read_table(path, "answers")
            except StageformerError as error:
                reason = str(error).partition(";")[0]
                raise StageformerError(f"{reason}; delete it, and what it held is asked again") from None
            keys = list(map(str, table["key"].to_pylist()))
            rows = [row for row, key in enumerate(keys) if key in wanted]
            for row, vector in zip(rows, table["vector"].take(pa.array(rows, pa.int64())), strict=True):
                text = wanted[keys[row]]
                found[text] = np.array(vector.values, dtype=np.float32)
                self._used[keys[row]] = text, found[text]
        return found

    def add(self, asked: Asked, answers: Mapping[str, Floats]) -> None:
        """Record answers, by text, in one new table; they count as used. Raises StageformerError as a full disk."""
        rows = {asked.key(text): (text, vector) for text, vector in answers.items()}
        _write(self._folder, rows)
        self._used.update(rows)

    def save_used(self, folder: Path) -> None:
        """Make ``folder`` hold the answers that were used, sorted by key: a function of the run alone.

        Raises:
            StageformerError: as :func:`~stageformer.artifacts.files.atomic_folder`.
        """
        with atomic_folder(folder, ("*.parquet",)) as new:
            if self._used:
                _write(new, dict(sorted(self._used.items())))


def _write(folder: Path, rows: Mapping[str, tuple[str, Floats]]) -> None:
    name = hashlib.sha256()
    for key, (_, vector) in rows.items():
        name.update(key.encode() + vector.astype("<f4").tobytes())
    write_table(folder / f"{name.hexdigest()[:32]}.parquet", "answers", [_columns(rows)])


def _columns(rows: Mapping[str, tuple[str, Floats]]) -> dict[str, Sequence[object]]:
    return {
        "id": range(len(rows)),
        "key": list(rows),
        "text": [text for text, _ in rows.values()],
        "vector": [vector for _, vector in rows.values()],
    }
