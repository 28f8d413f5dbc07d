"""The store of answers: keys, what a run used, and the way from an output into the store."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from stageformer.artifacts.answers import Answers, Asked
from stageformer.artifacts.stock import stock
from stageformer.errors import StageformerError

ASKED = Asked("openai", "m", None, 3)
VECTORS = {"größer": np.array([1.0, 2.0, 0.1], np.float32), "b": np.array([0.0, 3.0, -1e-30], np.float32)}


def test_the_key_is_the_hash_of_canonical_json() -> None:
    expected = hashlib.sha256('["openai","m",null,3,"größer"]'.encode()).hexdigest()
    assert ASKED.key("größer") == expected
    others = [Asked("x", "m", None, 3), Asked("openai", "n", None, 3), Asked("openai", "m", "2", 3)]
    others.append(Asked("openai", "m", None, None))
    assert len({expected, ASKED.key("b"), *(other.key("größer") for other in others)}) == 6


def test_what_was_added_is_found_to_the_bit(tmp_path: Path) -> None:
    Answers(tmp_path).add(ASKED, VECTORS)
    found = Answers(tmp_path).find(ASKED, ["b", "größer", "c"])
    assert {text: vector.tobytes() for text, vector in found.items()} == {t: v.tobytes() for t, v in VECTORS.items()}
    assert Answers(tmp_path).find(Asked("openai", "other", None, 3), VECTORS) == {}


def test_an_output_holds_what_was_used_in_an_order_of_its_own(tmp_path: Path) -> None:
    for number, order in enumerate((["b", "größer"], ["größer", "b"])):
        answers = Answers(tmp_path / f"store {number}")
        for text in order:
            answers.add(ASKED, {text: VECTORS[text]})
        Answers(tmp_path / f"store {number}").add(ASKED, {"unused": VECTORS["b"]})
        answers.save_used(tmp_path / f"out {number}")
    (first,), (second,) = ((tmp_path / f"out {number}").iterdir() for number in range(2))
    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())
    Answers(tmp_path / "store 0").save_used(tmp_path / "nothing used")
    assert list((tmp_path / "nothing used").iterdir()) == []


def test_the_store_is_stocked_from_outputs_even_if_they_are_links(tmp_path: Path) -> None:
    stock(tmp_path)
    assert list(tmp_path.iterdir()) == []
    answers = Answers(tmp_path / "elsewhere")
    answers.add(ASKED, VECTORS)
    (tmp_path / "data/embed/answers").mkdir(parents=True)
    for path in (tmp_path / "elsewhere").iterdir():
        os.symlink(path, tmp_path / "data/embed/answers" / path.name)
    for _ in range(2):
        stock(tmp_path)
    for path in (tmp_path / "elsewhere").iterdir():
        path.unlink()
    assert set(Answers(tmp_path / ".cache/answers").find(ASKED, VECTORS)) == set(VECTORS)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    Answers(tmp_path).add(ASKED, VECTORS)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StageformerError, match=r"parquet: .*; delete it, and what it held is asked again$"):
        Answers(tmp_path).find(ASKED, VECTORS)
