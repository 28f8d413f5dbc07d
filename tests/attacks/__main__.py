"""``make attack``: every attack, and a summary. Exit code 1 if one of them ended badly.

Example: ``python -m tests.attacks``, or ``python -m tests.attacks GROUP...`` for groups whose names begin so.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.attacks.harness import GOOD, Attack, Range, groups, judge, table
from tests.attacks.of_tensors import UNTOUCHED
from tests.attacks.world import make_worlds

JOBS = 2


def main(prefixes: list[str]) -> int:
    """Run the groups whose names begin with one of ``prefixes``, or all."""
    verdicts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
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
                for attack, outcome in place.run_all(attacks, JOBS):
                    verdict, reason = judge(attack, outcome)
                    counts[verdict] += 1
                    if verdict not in GOOD:
                        print(f"{verdict}: {name}: {attack.name}: {reason}", flush=True)
        finally:
            place.close()
    print(f"\n{table(verdicts)}\n{time.monotonic() - started:.0f} s")
    return int(any(counts[verdict] for counts in verdicts.values() for verdict in counts if verdict not in GOOD))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
