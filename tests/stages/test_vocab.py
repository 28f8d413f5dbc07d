"""The stage vocab, run as a command on small tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from stageformer.artifacts.tables import write_table
from stageformer.params.reading import read_yaml
from stageformer.text.pair import save_tokenizers, train_tokenizers
from stageformer.text.vocabulary import load_vocabularies
from stages.vocab import main
from tests.families import family

ROOT = Path(__file__).resolve().parents[2]
COMPUTE = read_yaml(ROOT / "recipes/default.yaml")["compute"]
ROWS: dict[str, list[tuple[list[str], list[str]]]] = {
    "train": [(["a", "b", "a"], ["x", "a"]), (["c"], ["x", "y", "<eos>"]), ([], ["x"])],
    "valid": [(["a", "new", "c"], ["x"])],
    "test": [(["<eos>", "b"], ["new", "new"]), (["a"], ["x", "y"])],
}


def write_tokens(folder: Path, rows: dict[str, list[tuple[list[str], list[str]]]] = ROWS) -> None:
    for split, pairs in rows.items():
        columns = {
            "id": range(7, 7 + len(pairs)),
            "source_tokens": [source for source, _ in pairs],
            "target_tokens": [target for _, target in pairs],
        }
        write_table(folder / "tokenize" / f"{split}.parquet", "tokens", [columns])
    if not (folder / "tokenize" / "tokenizer").exists():
        save_tokenizers(train_tokenizers(["a"], ["x"], family("char"), None), folder / "tokenize" / "tokenizer")


def run(folder: Path, name: str = "run", **changes: object) -> None:
    group = {"shared": True, "min_frequency": 1, "max_size": None} | changes
    (folder / "params.yaml").write_text(json.dumps({"vocab": group, "compute": COMPUTE}))
    result = CliRunner().invoke(main, arguments(folder, name), catch_exceptions=False)
    assert result.exit_code == 0, result.stderr


def arguments(folder: Path, name: str = "run") -> list[str]:
    return [
        *("--params", str(folder / "params.yaml"), "--tokenize", str(folder / "tokenize")),
        *("--output", str(folder / name / "data"), "--reports", str(folder / name / "reports")),
    ]


def ids(folder: Path, split: str, side: str) -> list[list[int]]:
    table = pd.read_parquet(folder / "run" / "data" / f"{split}.parquet")
    assert table["id"].tolist() == list(range(7, 7 + len(ROWS[split])))
    return [row.tolist() for row in table[f"{side}_ids"]]


def metrics(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    return dict(json.loads((folder / "run" / "reports" / "metrics.json").read_text()))


def test_shared(tmp_path: Path) -> None:
    write_tokens(tmp_path)
    run(tmp_path)
    vocabularies = load_vocabularies(tmp_path / "run" / "data")
    assert vocabularies.shared
    assert vocabularies.source.tokens[4:] == ["a", "x", "b", "c", "y"]
    assert vocabularies.source.counts[4:] == [3, 3, 1, 1, 1]
    assert ids(tmp_path, "train", "source") == [[4, 6, 4, 2], [7, 2], [2]]
    assert ids(tmp_path, "train", "target") == [[1, 5, 4, 2], [1, 5, 8, 3, 2], [1, 5, 2]]
    assert ids(tmp_path, "test", "source") == [[3, 6, 2], [4, 2]]
    assert ids(tmp_path, "test", "target") == [[1, 3, 3, 2], [1, 5, 8, 2]]


def test_one_a_side_and_back(tmp_path: Path) -> None:
    write_tokens(tmp_path)
    run(tmp_path)
    run(tmp_path, shared=False)
    vocabularies = load_vocabularies(tmp_path / "run" / "data")
    assert not vocabularies.shared
    assert vocabularies.source.tokens[4:] == ["a", "b", "c"]
    assert vocabularies.target.tokens[4:] == ["x", "a", "y"]
    assert ids(tmp_path, "train", "target") == [[1, 4, 5, 2], [1, 4, 6, 3, 2], [1, 4, 2]]
    run(tmp_path)
    assert load_vocabularies(tmp_path / "run" / "data").shared


def test_ids_come_back_as_tokens(tmp_path: Path) -> None:
    write_tokens(tmp_path)
    run(tmp_path)
    vocabulary = load_vocabularies(tmp_path / "run" / "data").target
    for (_, tokens), row in zip(ROWS["train"], ids(tmp_path, "train", "target"), strict=True):
        expected = [token.replace("<eos>", "<unk>") for token in tokens]
        assert vocabulary.to_tokens(row, skip_special=True) == expected


def test_metrics(tmp_path: Path) -> None:
    write_tokens(tmp_path)
    run(tmp_path, min_frequency=2, shared=False)
    found = metrics(tmp_path)
    assert found["vocabulary"]["source"] == {
        "size": 5,
        "types_seen": 3,
        "types_learnt_but_not_seen": 0,
        "types_below_min_frequency": 2,
        "types_beyond_max_size": 0,
        "tokens_below_min_frequency": 2,
        "tokens_beyond_max_size": 0,
        "types_spelt_like_special_tokens": 0,
    }
    assert found["vocabulary"]["target"]["types_spelt_like_special_tokens"] == 1
    assert found["test"]["source"] == {
        "tokens": 3,
        "types": 3,
        "coverage": pytest.approx(1 / 3, abs=1e-6),
        "unknown_tokens": 2,
        "unknown_rate": pytest.approx(2 / 3, abs=1e-6),
        "sentences_with_unknown": 1,
    }
    assert found["train"]["source"]["tokens"] == 4
    run(tmp_path, max_size=6)
    assert metrics(tmp_path)["vocabulary"]["shared"]["types_beyond_max_size"] == 3
    assert metrics(tmp_path)["vocabulary"]["shared"]["tokens_beyond_max_size"] == 3


@pytest.mark.parametrize("shared", [True, False])
def test_every_learnt_token_has_an_id(tmp_path: Path, shared: bool) -> None:
    text = ["lower newer", "newest low"]
    tokenizers = train_tokenizers(text, text, family("byte_bpe", vocabulary_size=300), None)
    save_tokenizers(tokenizers, tmp_path / "tokenize" / "tokenizer")
    tokens = [(*tokenizers.source.encode_batch([line, line]),) for line in text]
    write_tokens(tmp_path, dict.fromkeys(ROWS, tokens))
    run(tmp_path, min_frequency=0, shared=shared)
    vocabularies = load_vocabularies(tmp_path / "run" / "data")
    for vocabulary in (vocabularies.source, vocabularies.target):
        assert set(tokenizers.source.learnt) <= set(vocabulary.tokens)
        assert all(token in vocabulary for token in tokenizers.source.encode_batch(["today 🎉 low new owe"])[0])
        assert vocabulary.counts[4:] == sorted(vocabulary.counts[4:], reverse=True)
        assert 0 in vocabulary.counts[4:]
    side = "shared" if shared else "target"
    found = metrics(tmp_path)["vocabulary"][side]
    assert found["size"] == 4 + found["types_seen"] + found["types_learnt_but_not_seen"]
    run(tmp_path, min_frequency=1, shared=shared)
    assert 0 not in load_vocabularies(tmp_path / "run" / "data").source.counts[4:]
    found = metrics(tmp_path)["vocabulary"][side]
    assert found["types_below_min_frequency"] == found["types_learnt_but_not_seen"] > 0


def test_one_line_says_what_was_done(tmp_path: Path) -> None:
    write_tokens(tmp_path)
    vocab = {"shared": False, "min_frequency": 2, "max_size": None}
    (tmp_path / "params.yaml").write_text(json.dumps({"vocab": vocab, "compute": COMPUTE}))
    result = CliRunner().invoke(main, arguments(tmp_path), catch_exceptions=False)
    unknown = "50.00% of train, 50.00% of valid, 71.43% of test; min_frequency makes 4 of train unknown"
    assert result.stderr == f"vocab: read 10 tokens of train, gave 2 of 7 types an id; unknown tokens: {unknown}\n"


def test_curves(tmp_path: Path) -> None:
    many = [([f"t{i}" for i in range(n)], ["x"]) for n in range(0, 1000, 10)]
    write_tokens(tmp_path, ROWS | {"train": many})
    run(tmp_path)
    reports = tmp_path / "run" / "reports"
    frequencies, coverage = pd.read_csv(reports / "frequencies.csv"), pd.read_csv(reports / "coverage.csv")
    source = frequencies[frequencies["side"] == "source"]
    assert 50 < len(source) <= 200
    assert source["rank"].iloc[[0, -1]].tolist() == [1, 990]
    assert source["count"].iloc[[0, -1]].tolist() == [99, 1]
    assert source["count"].is_monotonic_decreasing
    assert coverage[coverage["side"] == "source"]["coverage"].is_monotonic_increasing
    assert coverage.groupby("side")["coverage"].last().tolist() == [1.0, 1.0]


def test_many_row_groups(tmp_path: Path) -> None:
    many = [([str(n % 7)] * (n % 3), [str(n % 5)]) for n in range(40_000)]
    write_tokens(tmp_path, ROWS | {"train": many})
    run(tmp_path)
    vocabulary = load_vocabularies(tmp_path / "run" / "data").source
    table = pd.read_parquet(tmp_path / "run" / "data" / "train.parquet")
    assert [row.tolist() for row in table["source_ids"]] == [[*vocabulary.to_ids(source), 2] for source, _ in many]
    assert [row.tolist() for row in table["target_ids"]] == [[1, *vocabulary.to_ids(target), 2] for _, target in many]


def test_runs_as_a_module_without_torch_and_gives_the_same_bytes(tmp_path: Path) -> None:
    write_tokens(tmp_path)
    run(tmp_path, "one")
    code = (
        "import sys, runpy, atexit; atexit.register(lambda: print('torch' in sys.modules)); "
        "runpy.run_module('stages.vocab', run_name='__main__')"
    )
    command = [sys.executable, "-c", code, *arguments(tmp_path, "two")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "7"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
    for path in (tmp_path / "one").rglob("*.*"):
        if path.name in ("environment.json", "cost.json"):
            continue  # the packages that the process has imported (this one has torch), and what it took
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    write_tokens(tmp_path)
    for changes, message in [
        ({"min_frequency": 50}, "no token of the training split occurs vocab.min_frequency = 50 times"),
        ({"max_size": 4}, "vocab.max_size"),
        ({"min_freq": 1}, "unknown key vocab.min_freq (did you mean 'min_frequency'?)"),
    ]:
        group = {"shared": True, "min_frequency": 1, "max_size": None} | changes
        (tmp_path / "params.yaml").write_text(json.dumps({"vocab": group, "compute": COMPUTE}))
        result = CliRunner().invoke(main, arguments(tmp_path))
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert message in result.stderr
    write_table(tmp_path / "tokenize" / "train.parquet", "ids", [])
    vocab = {"shared": True, "min_frequency": 1, "max_size": None}
    (tmp_path / "params.yaml").write_text(json.dumps({"vocab": vocab, "compute": COMPUTE}))
    result = CliRunner().invoke(main, arguments(tmp_path))
    assert "found an artifact of kind 'ids', needed kind 'tokens'; make it again with `dvc repro --force tokenize`" in (
        result.stderr
    )
