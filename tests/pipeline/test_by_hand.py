"""A stage that is run by hand over an older run leaves what it would in an empty folder, as under DVC."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.test_damaged_artifacts import run_stage
from tests.test_dvc_yaml import PIPELINE, outs, path_of

OLDER = {
    "check": ("data/check/code/gone.txt",),
    "ingest": ("data/ingest/labels/older.parquet",),
    "tokenize": ("data/tokenize/tokenizer/source/tokenizer.json", "data/tokenize/tokenizer/target/tokenizer.json"),
    "vocab": ("data/vocab/vocabulary_source.parquet", "data/vocab/vocabulary_target.parquet"),
    "embed": ("data/embed/answers/older.parquet",),
    "train_encoder": ("reports/train_encoder/plots/metrics/older.tsv", "reports/train_encoder/plots/metrics/a/b.tsv"),
    "encode": ("data/encode/train-dropout-3/memory-00000.pt", "data/encode/test/memory-00099.pt"),
    "train_decoder": ("reports/train_decoder/plots/metrics/older.tsv",),
    "evaluate": ("reports/evaluate/attention/99999-cross.png",),
    "export": (
        "data/export/huggingface/model.safetensors", "data/export/ctranslate2/shared_vocabulary.json",
        "data/export/ctranslate2/older.json", "data/export/stageformer/vocabulary_source.parquet",
    ),
}  # fmt: skip
"""What runs with other parameters, or on other data, leave in the folders of a stage."""


def test_every_stage_with_a_folder_is_tried() -> None:
    """Every other output is a file by a name that its stage always writes; a head's curves are as any training's."""
    folders = {name for name in PIPELINE if any(not Path(path_of(out)).suffix for out in outs(name))}
    assert folders == set(OLDER)


@pytest.mark.parametrize("name", OLDER)
def test_nothing_of_an_older_run_stays_in_a_folder(repository, name: str) -> None:
    root: Path = repository.root
    folders = [root / path for out in outs(name) if not Path(path := path_of(out)).suffix]
    before = contents(folders)
    for path in OLDER[name]:
        assert any((root / path).is_relative_to(folder) for folder in folders)
        if not (root / path).exists():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(b"of an older run")
    assert contents(folders) > before
    run = run_stage(root, name)
    assert run.returncode == 0, run.stderr
    assert contents(folders) == before


def contents(folders: list[Path]) -> set[Path]:
    return {path for folder in folders for path in folder.rglob("*")}
