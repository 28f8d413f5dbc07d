"""A sample of the attacks, the same in every run; `make attack` makes them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attacks.harness import GOOD, Attack, Range, groups, judge
from tests.attacks.of_tensors import UNTOUCHED
from tests.attacks.world import make_worlds

GROUPS = groups()
PER_GROUP = 3
ONLY_ROOT = ("errors of the system: rights", "disks: small and read-only")


@pytest.fixture(scope="module")
def place(made_once: Callable[..., Path]) -> Iterator[Range]:
    found = Range(made_once("attacked worlds", make_worlds))
    UNTOUCHED["translate one"] = found.run(Attack("untouched", ("translate", "one"))).stdout
    yield found
    found.close()


def test_there_are_enough_attacks() -> None:
    assert all(len(attacks) >= 5 for name, attacks in GROUPS.items() if name not in ONLY_ROOT)
    assert len({(name, attack.name) for name, attacks in GROUPS.items() for attack in attacks}) >= 1000


@pytest.mark.parametrize("group", GROUPS)
def test_a_sample_is_refused_in_one_line_or_right(group: str, place: Range) -> None:
    attacks = GROUPS[group]
    if not attacks:
        pytest.skip("only root may mount file systems and become another user")
    sample = [attacks[number * len(attacks) // PER_GROUP] for number in range(PER_GROUP)]
    bad = []
    for attack, outcome in place.run_all(sample):
        verdict, reason = judge(attack, outcome)
        if verdict not in GOOD:
            bad.append(f"{verdict}: {attack.name}: {reason}")
    assert bad == []


def test_the_judge_sees_what_is_wrong(place: Range) -> None:
    """A fault, a result that is not right, and an input without end are told from a refusal."""
    refused = Attack("no such file", ("show", "no-such-file"))
    assert judge(refused, place.run(refused))[0] == "refused in one line"
    wrong = Attack("taken", ("check",))
    assert judge(wrong, place.run(wrong))[0] == "wrong"
    right = Attack("taken", ("check",), right=lambda outcome: "allowed" in outcome.stdout)
    assert judge(right, place.run(right))[0] == "right"

    def break_it(root: Path) -> None:
        import stageformer.terminal.show

        stageformer.terminal.show.show = lambda *_, **__: {}["fault"]  # type: ignore[assignment]

    fault = Attack("a fault", ("show", "data/vocab"), break_it, right=lambda outcome: True)
    assert judge(fault, place.run(fault))[0] == "traceback"
