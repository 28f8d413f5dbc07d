"""Plain values of a file against the fields of a dataclass."""

from __future__ import annotations

from typing import Any

import pytest

from stageformer.artifacts.fields import check_fields
from stageformer.model.config import StackConfig

GOOD: dict[str, Any] = {
    "d_model": 8, "num_layers": 1, "num_heads": 2, "d_ff": 4, "activation": "relu", "norm": "pre",
    "attention_only": False, "residual_dropout": 0, "embedding_dropout": 0.5, "attention_dropout": 0.0,
}  # fmt: skip


def test_what_fits_is_taken() -> None:
    check_fields(StackConfig, GOOD, "stack")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 0}, "stack.num_heads is 0, not within 1 to 1024"),
        ({"num_heads": True}, "stack.num_heads is True, not of type int"),
        ({"num_heads": 2.0}, "stack.num_heads is 2.0, not of type int"),
        ({"d_ff": 10**12}, "stack.d_ff is 1000000000000, not within 1 to 1000000"),
        ({"norm": "none"}, "stack.norm is 'none'; allowed: post, pre"),
        ({"norm": []}, "stack.norm is []; allowed: post, pre"),
        ({"attention_only": 0}, "stack.attention_only is 0, not of type bool"),
        ({"residual_dropout": float("nan")}, "stack.residual_dropout is nan, not a number"),
        ({"residual_dropout": "x" * 200}, "stack.residual_dropout is 'xxx"),
        ({"more": 1}, "stack has an unknown value 'more'"),
    ],
)
def test_what_does_not_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_fields(StackConfig, GOOD | change, "stack")
    assert str(refused.value).startswith(message)


def test_a_missing_field_and_no_group() -> None:
    with pytest.raises(ValueError, match=r"stack\.norm is missing"):
        check_fields(StackConfig, {name: value for name, value in GOOD.items() if name != "norm"}, "stack")
    with pytest.raises(ValueError, match="stack is None, not a group of values"):
        check_fields(StackConfig, None, "stack")
