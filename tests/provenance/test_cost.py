"""``cost.json``: what a stage took, counted from the start of its process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_seconds_count_from_the_start_of_the_process_and_memory_at_its_peak(tmp_path: Path) -> None:
    script = (
        "import pathlib, time; time.sleep(1.0); block = bytearray(200 * 2**20); del block\n"
        f"from stageformer.provenance.cost import write_cost; write_cost(pathlib.Path({str(tmp_path)!r}))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    found = json.loads((tmp_path / "cost.json").read_text())
    assert found.keys() == {"seconds", "peak_memory_mib"}
    assert found["seconds"] >= 1.0
    assert found["peak_memory_mib"] >= 200


def test_it_is_no_output_that_dvc_would_hash() -> None:
    assert "cost.json" not in (ROOT / "dvc.yaml").read_text()
