"""``make attack``: every attack, and a summary. Exit code 1 if one of them ended badly.

Every 25th is made a second time, on a new process of Python instead of a forked one, and has to end alike.

Example: ``python -m tests.attacks``, or ``python -m tests.attacks GROUP...`` for groups whose names begin so.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.attacks.harness import GOOD, Attack, Outcome, Range, difference, folder_in_memory, groups, judge, table
from tests.attacks.of_tensors import UNTOUCHED
from tests.attacks.world import make_worlds

JOBS = 2
AGAIN = 25
"""Of so many attacks, one is made on a new process, too."""


def main(prefixes: list[str]) -> int:
    """Run the groups whose names begin with one of ``prefixes``, or all."""
    verdicts: dict[str, Counter[str]] = {}
    again, otherwise = 0, 0
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as folder:
        worlds = Path(folder) / "worlds"
        make_worlds(worlds)
        started = time.monotonic()
        place = Range(worlds)
        UNTOUCHED["translate one"] = place.run(Attack("untouched", ("translate", "one"))).stdout
        try:
            for name, attacks in groups().items():
                if prefixes and not name.startswith(tuple(prefixes)):
                    continue
                if not attacks:
                    print(f"left out: {name}: only root may do this", flush=True)
                counts = verdicts.setdefault(name, Counter())
                begun = time.monotonic()
                some = {id(attack): attack for attack in attacks[::AGAIN] if not attack.inside}
                ended: dict[int, tuple[str, Outcome]] = {}
                for attack, outcome in place.run_all(attacks, JOBS):
                    verdict, reason = judge(attack, outcome)
                    counts[verdict] += 1
                    if verdict not in GOOD:
                        print(f"{verdict}: {name}: {attack.name}: {reason}", flush=True)
                    if id(attack) in some:
                        ended[id(attack)] = verdict, outcome
                for attack, outcome in place.run_all(some.values(), JOBS, new=True):
                    again += 1
                    if different := difference(ended[id(attack)], (judge(attack, outcome)[0], outcome)):
                        otherwise += 1
                        print(f"differs: {name}: {attack.name}: {different}", flush=True)
                print(f"{name}: {counts.total()} in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        finally:
            place.close()
    print(f"\n{table(verdicts)}\n{again} of them on new processes, too: {again - otherwise} ended alike")
    print(f"{time.monotonic() - started:.0f} s")
    bad = any(counts[verdict] for counts in verdicts.values() for verdict in counts if verdict not in GOOD)
    return int(bad or otherwise > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
