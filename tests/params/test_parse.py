"""From mappings to parameter classes: every mistake is one line that names the key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import pytest
from pydantic import ValidationError, model_validator

from stageformer.errors import StageformerError
from stageformer.params.base import Name, Params, documented, group, limits, param, parse


class Inner(Params):
    names: list[str] = param("some names")


class Outer(Params):
    kind: Literal["apple", "pear"] = param("a kind")
    count: int = param("a count", minimum=1, maximum=5)
    share: float = param("a share", minimum=0, maximum=1000)
    limit: int | None = param("a limit; null: none", minimum=2, maximum=9)
    flag: bool = param("a flag")
    column: Name | None = param("a column")
    inner: Inner = group("an inner group")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind == "pear" and self.flag:
            raise ValueError("a pear has no flag")
        return self


class File(Params):
    outer: Outer


GOOD = {
    "kind": "apple", "count": 3, "share": 0.5, "limit": None, "flag": False, "column": "x", "inner": {"names": ["a"]},
}  # fmt: skip


def test_good_values_give_the_class() -> None:
    outer = parse(Outer, GOOD, "outer")
    assert outer == Outer(
        kind="apple", count=3, share=0.5, limit=None, flag=False, column="x", inner=Inner(names=["a"])
    )
    with pytest.raises(ValidationError, match="frozen"):
        outer.count = 4


@pytest.mark.parametrize(("column", "expected"), [(1, "1"), ("1", "1"), ("en", "en"), (None, None)])
def test_a_column_is_named_or_numbered(column: object, expected: str | None) -> None:
    assert parse(Outer, {**GOOD, "column": column}, "outer").column == expected


def test_a_whole_number_is_a_float_where_a_float_is_asked_for() -> None:
    share = parse(Outer, {**GOOD, "share": 1}, "outer").share
    assert share == 1.0
    assert isinstance(share, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuont": 3}, "params: unknown key outer.cuont (did you mean 'count'?)"),
        ({3: 3}, "params: unknown key outer.3"),
        ({"cuont": 3, "inner": 3}, "params: unknown key outer.cuont (did you mean 'count'?)"),
        ({"kind": "aple"}, "params: outer.kind is 'aple' (did you mean 'apple'?); allowed: apple, pear"),
        ({"kind": "pear", "flag": True}, "params: outer: a pear has no flag"),
        ({"kind": None}, "params: outer.kind must be a text, found null"),
        ({"count": 0}, "params: outer.count is 0; the minimum is 1"),
        ({"count": 6}, "params: outer.count is 6; the maximum is 5"),
        ({"count": 3.0}, "params: outer.count must be a whole number, found 3.0"),
        ({"count": True}, "params: outer.count must be a whole number, found true"),
        ({"share": "half"}, "params: outer.share must be a number, found 'half'"),
        ({"share": float("nan")}, "params: outer.share must be a finite number, found nan"),
        ({"share": float("inf")}, "params: outer.share must be a finite number, found inf"),
        ({"share": 1001}, "params: outer.share is 1001; the maximum is 1000"),
        ({"share": True}, "params: outer.share must be a number, found true"),
        ({"share": 10**400}, f"params: outer.share is 1{'0' * 37}...{'0' * 39}; the maximum is 1000"),
        ({"limit": 1}, "params: outer.limit is 1; the minimum is 2, or null: none"),
        ({"limit": True}, "params: outer.limit must be a whole number, found true"),
        ({"column": 1.5}, "params: outer.column must be a text or a whole number, found 1.5"),
        ({"column": True}, "params: outer.column must be a text or a whole number, found true"),
        ({"flag": 1}, "params: outer.flag must be true or false, found 1"),
        ({"inner": 3}, "params: outer.inner must be a group of parameters, found 3"),
        ({"inner": {"names": "a"}}, "params: outer.inner.names must be a list of texts, found 'a'"),
        ({"inner": {"names": ["a", 2]}}, "params: outer.inner.names[1] must be a text, found 2"),
        ({"inner": None}, "params: outer.inner must be a group of parameters, found null"),
        ({"inner": {"nams": []}}, "params: unknown key outer.inner.nams (did you mean 'names'?)"),
        ({"inner": {}}, "params: outer.inner.names is missing (some names)"),
    ],
)
def test_a_mistake_is_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        parse(Outer, {**GOOD, **change}, "outer")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"outer": GOOD, "outre": GOOD}, "params: unknown group outre (did you mean 'outer'?)"),
        ({}, "params: the group outer is missing"),
        ([1], "params: expected groups of parameters, found [1]"),
    ],
)
def test_groups_are_all_present_and_none_unknown(values: object, message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        parse(File, values, "")
    assert str(caught.value) == message


def test_the_path_of_a_mistake_begins_with_the_group() -> None:
    with pytest.raises(StageformerError) as caught:
        parse(File, {"outer": {**GOOD, "inner": {"names": [1]}}}, "")
    assert str(caught.value) == "params: outer.inner.names[0] must be a text, found 1"


def test_a_missing_key_comes_before_a_wrong_value_and_after_an_unknown_key() -> None:
    bad = {**GOOD, "kind": 3}
    del bad["flag"]
    with pytest.raises(StageformerError, match=r"^params: outer\.flag is missing \(a flag\)$"):
        parse(Outer, bad, "outer")
    with pytest.raises(StageformerError, match=r"^params: unknown key outer\.flog \(did you mean 'flag'\?\)$"):
        parse(Outer, bad | {"flog": True}, "outer")


def test_a_long_value_is_cut_short() -> None:
    value: list[object] = ["x" * 1000]
    for _ in range(40):  # as an alias in YAML makes it: small in memory, without end in writing
        value = [value] * 10
    with pytest.raises(StageformerError) as caught:
        parse(Outer, {**GOOD, "kind": value}, "outer")
    assert len(str(caught.value)) < 300


@dataclass
class Shape:
    width: int
    depth: Annotated[int, "how many", 1, 9] = 3
    form: Annotated[Literal["round", "square"], "which form"] = "round"


class Drawing(Params, documented(Shape)):  # type: ignore[misc]
    colour: str = param("a colour")


def test_a_group_shares_the_documented_fields_of_a_dataclass_and_none_of_their_defaults() -> None:
    assert list(Drawing.model_fields) == ["depth", "form", "colour"]
    assert limits(Drawing.model_fields["depth"]) == (1, 9)
    for change, message in (
        ({"depth": 10}, "params: drawing.depth is 10; the maximum is 9"),
        ({"form": "roun"}, "params: drawing.form is 'roun' (did you mean 'round'?); allowed: round, square"),
        ({"width": 3}, "params: unknown key drawing.width"),
    ):
        with pytest.raises(StageformerError, match=f"^{re.escape(message)}"):
            parse(Drawing, {"depth": 1, "form": "square", "colour": "red"} | change, "drawing")
    with pytest.raises(StageformerError, match=r"^params: drawing\.depth is missing \(how many\)$"):
        parse(Drawing, {"form": "square", "colour": "red"}, "drawing")
