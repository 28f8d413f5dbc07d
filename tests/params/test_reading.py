"""Parameter files are read as DVC reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stageformer.errors import StageformerError
from stageformer.params.reading import line_of, read_yaml


def test_yaml_1_2_as_dvc_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: no\nb: 1e-3\nc: 2026.2.3\nd:\ne: 'no'\n")
    assert read_yaml(path) == {"a": "no", "b": 0.001, "c": "2026.2.3", "d": None, "e": "no"}


# Eight lists of ten aliases: a hundred million values from two hundred bytes.
BOMB = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
)


def test_an_alias_that_is_used_a_few_times_is_read(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: &a {b: 1}\nc: *a\nd: [*a, *a]\n")
    assert read_yaml(path) == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: [1\nc: 2\n", "{path}, line 3: not readable as YAML: expected ',' or ']', but got ':'"),
        (b"a: 1\nb: 2\na: 3\n", '{path}, line 3: not readable as YAML: found duplicate key "a" with value "3"'),
        (b"- 1\n", "{path}: expected groups of parameters, found [1]"),
        (b"", "{path}: expected groups of parameters, found nothing"),
        (b"a: \xff\n", "{path}: not UTF-8 text (byte 3)"),
        (b"a: " + b"[" * 3000, "{path}: not readable as YAML: nested too deeply"),
        (b"a: " + b"1" * 5000, "{path}: not readable as YAML: Exceeds the limit"),
        (b"a: 2026-02-31\n", "{path}: not readable as YAML: "),
        (b"a: &a\n  b: *a\n", "{path}: aliases make it more than 100,000 values; write them out"),
        (BOMB, "{path}: aliases make it more than 100,000 values; write them out"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(StageformerError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(message.format(path=path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"no such file; run from the root of the repository$"):
        read_yaml(tmp_path / "params.yaml")
    with pytest.raises(StageformerError, match=r"mine.yaml: no such file$"):
        read_yaml(tmp_path / "mine.yaml")
    (tmp_path / "recipes").mkdir()
    for name in ("dvc.yaml", "recipes/default.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(StageformerError, match=r"no such file; `stageformer use default` makes it$"):
        read_yaml(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("keys", "line"), [(["a"], 1), (["a", "b"], 3), (["a", "b", "1"], 4), (["a", "gone"], 1), (["gone"], None)]
)
def test_the_line_of_a_parameter(keys: list[str], line: int | None) -> None:
    assert line_of(b"a:\n  # b:\n  b: [one,\n      two]\nc: {b: 1}\n", keys) == line


def test_what_the_system_does_not_let_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"not readable \(Is a directory\)$"):
        read_yaml(tmp_path)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(StageformerError, match=r"loop: not readable \(Too many levels of symbolic links\)$"):
        read_yaml(loop)
