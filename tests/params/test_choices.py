"""Kinds that are found by name: one file each, imported only when chosen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stageformer.errors import StageformerError
from stageformer.params.choices import chosen, kinds


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("__init__", "base", "_helper", "cat", "dog"):
        (tmp_path / "zoo").mkdir(exist_ok=True)
        (tmp_path / f"zoo/{name}.py").write_text(f"NAME = {name!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "zoo"
    for name in [name for name in sys.modules if name.split(".")[0] == "zoo"]:
        del sys.modules[name]


def test_only_the_chosen_kind_is_imported(zoo: str) -> None:
    assert chosen(zoo, "cat").NAME == "cat"
    assert "zoo.dog" not in sys.modules


def test_what_kinds_share_is_no_kind(zoo: str) -> None:
    assert kinds(zoo) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("dgo", "unknown kind 'dgo' of zoo (did you mean 'dog'?); known: cat, dog"),
        ("base", "unknown kind 'base' of zoo; known: cat, dog"),
        ("../os", "unknown kind '../os' of zoo; known: cat, dog"),
    ],
)
def test_an_unknown_kind_is_one_line(zoo: str, kind: str, message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        chosen(zoo, kind)
    assert str(caught.value) == message
