from __future__ import annotations

import csv
from pathlib import Path

import pytest

from stageformer.artifacts.csv_files import write_csv


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("@SUM(A1)", "'@SUM(A1)"), ("+1-1", "'+1-1"), ("-a", "'-a"),
        ("a;=b", "a;'=b"), ("a,\n=b", "a,\n'=b"), ("\t=b", "\t'=b"), ("\uff1db", "'\uff1db"),
        ("</script><b>", "\uff1c/script>\uff1cb>"), ("<!--", "\uff1c!--"),
        # What is harmless stays as it is.
        ("-", "-"), ("=", "="), ("-0.25", "-0.25"), ("-1e-05", "-1e-05"),
        ("a=b", "a=b"), ("Tür, \"auf\"", "Tür, \"auf\""), ("", ""),
    ],
)  # fmt: skip
def test_texts_in_a_table_are_no_formulas_and_no_markup(text: str, shown: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", ("token", "count"), [(text, -1.5)])
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["token", "count"], [shown, "-1.5"]]
