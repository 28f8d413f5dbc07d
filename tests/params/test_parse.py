"""From mappings to parameter classes: every mistake is one line that names the key."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from stageformer.errors import StageformerError
from stageformer.params.base import param, parse, parse_all


@dataclass(frozen=True)
class Inner:
    names: list[str] = param("some names")


@dataclass(frozen=True)
class Outer:
    kind: str = param("a kind", choices=("apple", "pear"))
    count: int = param("a count", minimum=1, maximum=5)
    share: float = param("a share", minimum=0)
    limit: int | None = param("a limit; null: none", minimum=2)
    flag: bool = param("a flag")
    inner: Inner = param("an inner group")

    def __post_init__(self) -> None:
        if self.kind == "pear" and self.flag:
            raise StageformerError("a pear has no flag")


GOOD = {"kind": "apple", "count": 3, "share": 0.5, "limit": None, "flag": False, "inner": {"names": ["a"]}}


def test_good_values_give_the_class() -> None:
    assert parse(Outer, GOOD, "outer") == Outer("apple", 3, 0.5, None, False, Inner(["a"]))


def test_a_whole_number_is_a_float_where_a_float_is_asked_for() -> None:
    share = parse(Outer, {**GOOD, "share": 1}, "outer").share
    assert share == 1.0
    assert isinstance(share, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuont": 3}, "params: unknown key outer.cuont (did you mean 'count'?)"),
        ({"kind": "aple"}, "params: outer.kind is 'aple' (did you mean 'apple'?); allowed: apple, pear"),
        ({"kind": "pear", "flag": True}, "params: outer: a pear has no flag"),
        ({"kind": None}, "params: outer.kind must be a text, found None"),
        ({"count": 0}, "params: outer.count is 0; the minimum is 1"),
        ({"count": 6}, "params: outer.count is 6; the maximum is 5"),
        ({"count": 3.0}, "params: outer.count must be a whole number, found 3.0"),
        ({"count": True}, "params: outer.count must be a whole number, found True"),
        ({"share": "half"}, "params: outer.share must be a number, found 'half'"),
        ({"share": float("nan")}, "params: outer.share must be a finite number, found nan"),
        ({"share": float("inf")}, "params: outer.share must be a finite number, found inf"),
        ({"limit": 1}, "params: outer.limit is 1; the minimum is 2"),
        ({"flag": 1}, "params: outer.flag must be true or false, found 1"),
        ({"inner": 3}, "params: outer.inner must be a group of parameters, found 3"),
        ({"inner": {"names": "a"}}, "params: outer.inner.names must be a list of str, found 'a'"),
        ({"inner": {"names": ["a", 2]}}, "params: outer.inner.names[1] must be a text, found 2"),
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
        parse_all({"outer": Outer}, values)
    assert str(caught.value) == message
