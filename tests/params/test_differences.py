"""What two sets of parameters differ in."""

from __future__ import annotations

from stageformer.params.differences import compare


def test_compare_distinguishes_true_from_one() -> None:
    differences = compare({"a": {"b": 1, "c": 2, "old": None}}, {"a": {"b": True, "c": 2, "new": [1]}})
    assert [str(difference) for difference in differences] == [
        "a.b: 1 -> true",
        "a.new: (absent) -> [1]",
        "a.old: null -> (absent)",
    ]
