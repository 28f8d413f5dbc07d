from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stageformer.corpus.plan import split_of


def test_fractions_are_shares_of_the_groups() -> None:
    counts = Counter(split_of(str(number), 1, 0.1, 0.2) for number in range(20_000))
    assert abs(counts["valid"] / 20_000 - 0.1) < 0.01
    assert abs(counts["test"] / 20_000 - 0.2) < 0.01


def test_the_split_never_changes_between_releases() -> None:
    found = {name: split_of(name, 1, 0.25, 0.25) for name in ("hue", "nest", "日本", "cast")}
    assert found == {"hue": "train", "nest": "valid", "日本": "test", "cast": "train"}


def test_another_seed_is_another_split() -> None:
    one, two = ([split_of(str(number), seed, 0.2, 0.2) for number in range(100)] for seed in (1, 2))
    assert one != two


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 0.3), st.floats(0, 0.2))
def test_a_larger_valid_fraction_only_takes_from_train(group: str, fraction: float, more: float) -> None:
    before, after = split_of(group, 3, fraction, 0.2), split_of(group, 3, fraction + more, 0.2)
    assert before == after or (before, after) == ("train", "valid")
