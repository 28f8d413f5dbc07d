"""A corpus of number words, prepared as the benchmarks prepare Multi30k."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.configurations import CONFIGURATIONS, parameters
from benchmarks.corpus import prepare

WORDS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs", "and": "und"}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the prepared corpus."""
    folder = tmp_path_factory.mktemp("benchmark_data")
    generator = random.Random(1)
    sources = [generator.choices(list(WORDS), k=generator.randint(3, 12)) for _ in range(300)]
    (folder / "source").write_text("".join(f"{' '.join(words)}\n" for words in sources))
    (folder / "target").write_text("".join(f"{' '.join(WORDS[word] for word in words)}\n" for words in sources))
    changes = {
        "ingest.source": "lines",
        "ingest.files.train": [str(folder / "source"), str(folder / "target")],
        "ingest.max_length_ratio": 3.0,
        "tokenize.source.vocabulary_size": 60,
    }
    prepare(folder, parameters(CONFIGURATIONS["tiny"], changes))
    return folder
