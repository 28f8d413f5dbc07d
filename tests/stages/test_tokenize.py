"""The stage tokenize, run as a command on small tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import write_table
from stageformer.errors import EXTRAS
from stageformer.params.reading import read_yaml
from stageformer.text.pair import load_tokenizers
from stages.tokenize import main
from tests.families import values

ROOT = Path(__file__).resolve().parents[2]
COMPUTE = read_yaml(ROOT / "recipes/default.yaml")["compute"]
ROWS = {
    "train": [("Turn on the light", "Schalte das Licht ein"), ("Turn off the light", "Schalte das Licht aus")] * 3,
    "valid": [("The light", "Das Licht")],
    "test": [("Turn the 漢字", "Das 漢字"), ("Off", "Aus")],
}


def test_help_is_fast_and_imports_no_optional_package() -> None:
    code = (
        "import sys, time; from stages.tokenize import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print(sorted({set(EXTRAS)!r} & sys.modules.keys()), time.process_time())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    lines = [run.stdout.splitlines()[-1].rpartition(" ") for run in runs]
    assert {packages for packages, _, _ in lines} == {str(sorted({"psutil"}))}
    assert min(float(seconds) for _, _, seconds in lines) <= 0.3, "seconds of this process, whatever else runs"


def write_sentences(folder: Path, rows: dict[str, list[tuple[str, str]]] = ROWS) -> None:
    for split, pairs in rows.items():
        columns = {
            "id": range(10, 10 + len(pairs)),
            "source": [source for source, _ in pairs],
            "target": [target for _, target in pairs],
            "references": [[target] for _, target in pairs],
            "group": [""] * len(pairs),
        }
        write_table(folder / "ingest" / f"{split}.parquet", "sentences", [columns])


def write_params(folder: Path, kind: str = "bpe", target: dict[str, object] | None = None, **changes: object) -> None:
    group = {"source": values(kind, **changes), "target": target}
    (folder / "params.yaml").write_text(json.dumps({"tokenize": group, "compute": COMPUTE}))


def arguments(folder: Path, run: str = "run") -> list[str]:
    return [
        *("--params", str(folder / "params.yaml"), "--ingest", str(folder / "ingest")),
        *("--output", str(folder / run / "data"), "--reports", str(folder / run / "reports")),
    ]


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "cost.json")  # which holds seconds
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece", "byte_bpe", "char", "word"])
@pytest.mark.parametrize("joint", [True, False])
def test_outputs(kind: str, joint: bool, tmp_path: Path) -> None:
    write_sentences(tmp_path)
    write_params(tmp_path, kind, None if joint else values(kind, vocabulary_size=300), vocabulary_size=300)
    result = CliRunner().invoke(main, arguments(tmp_path), catch_exceptions=False)
    assert result.exit_code == 0
    tokenizers = load_tokenizers(tmp_path / "run" / "data" / "tokenizer")
    metrics = json.loads((tmp_path / "run" / "reports" / "metrics.json").read_text())
    lengths = pd.read_csv(tmp_path / "run" / "reports" / "lengths.csv")
    assert list(lengths.columns) == ["length", "sentences", "side", "split"]
    for split in SPLITS:
        table = pd.read_parquet(tmp_path / "run" / "data" / f"{split}.parquet")
        assert table["id"].tolist() == list(range(10, 10 + len(ROWS[split])))
        for side, tokenizer in (("source", tokenizers.source), ("target", tokenizers.target)):
            texts = [pair[side == "target"] for pair in ROWS[split]]
            tokens = [list(row) for row in table[f"{side}_tokens"]]
            assert tokens == tokenizer.encode_batch(texts)
            figures = metrics[split][side]
            assert figures["tokens"] == sum(map(len, tokens))
            assert figures["longest_sentence"] == max(map(len, tokens))
            assert figures["words"] == sum(len(text.split()) for text in texts)
            assert figures["tokens_per_word"] == pytest.approx(figures["tokens"] / figures["words"], abs=1e-6)
            assert figures["round_trip_rate"] == 1.0
            here = lengths[(lengths["side"] == side) & (lengths["split"] == split)]
            assert here["sentences"].sum() == len(texts) == metrics[split]["sentences"]
            assert (here["sentences"] * here["length"]).sum() == figures["tokens"]
    learnt = {} if kind in ("char", "word") else {name: t.size for name, t in tokenizers.by_folder.items()}
    assert metrics["learnt_tokens"] == learnt


def test_one_line_says_what_was_done(tmp_path: Path) -> None:
    write_sentences(tmp_path)
    write_params(tmp_path, kind="char")
    result = CliRunner().invoke(main, arguments(tmp_path), catch_exceptions=False)
    cut = "source 128 (4.27 per word), target 144 (4.97 per word)"
    assert result.stderr == f"tokenize: read 9 pairs, learnt no tokens (char), wrote: {cut}\n"
    write_params(tmp_path, target=values())
    result = CliRunner().invoke(main, arguments(tmp_path), catch_exceptions=False)
    tokenizers = load_tokenizers(tmp_path / "run" / "data" / "tokenizer")
    sizes = f"{tokenizers.source.size} and {tokenizers.target.size}"
    assert f"learnt {sizes} tokens (bpe and bpe), wrote: source" in result.stderr


def test_what_does_not_come_back_is_reported(tmp_path: Path) -> None:
    write_sentences(tmp_path, ROWS | {"test": [('say "on"', "sag an"), ("on", "an")]})
    write_params(tmp_path, kind="word")
    CliRunner().invoke(main, arguments(tmp_path), catch_exceptions=False)
    metrics = json.loads((tmp_path / "run" / "reports" / "metrics.json").read_text())
    assert metrics["test"]["source"]["round_trip_rate"] == 0.5


def test_words_beyond_the_limit_of_wordpiece_are_counted_and_warned_of(tmp_path: Path) -> None:
    write_sentences(tmp_path, ROWS | {"test": [("lightlightlight light", "Licht"), ("light", "aaaaaaaaaaa")]})
    write_params(tmp_path, kind="wordpiece", max_word_length=10)
    result = CliRunner().invoke(main, arguments(tmp_path), catch_exceptions=False)
    assert "1 words of the source have more characters than tokenize max_word_length" in " ".join(result.stderr.split())
    found = json.loads((tmp_path / "run" / "reports" / "metrics.json").read_text())
    assert [found["test"][side]["too_long_words"] for side in ("source", "target")] == [1, 1]
    assert found["train"]["source"]["too_long_words"] == 0
    assert pd.read_parquet(tmp_path / "run/data/test.parquet")["source_tokens"][0][0] == "lightlightlight"
    write_params(tmp_path, kind="wordpiece", max_word_length=100)
    result = CliRunner().invoke(main, arguments(tmp_path), catch_exceptions=False)
    assert "max_word_length" not in result.stderr


def test_the_tokenizer_learns_from_train_alone(tmp_path: Path) -> None:
    write_sentences(tmp_path)
    write_params(tmp_path)
    CliRunner().invoke(main, arguments(tmp_path, "one"), catch_exceptions=False)
    write_sentences(tmp_path, ROWS | {"test": [("other text " * 9, "anderer Text " * 9)]})
    CliRunner().invoke(main, arguments(tmp_path, "two"), catch_exceptions=False)
    assert files(tmp_path / "one/data/tokenizer") == files(tmp_path / "two/data/tokenizer")


def test_runs_as_a_module_without_torch_and_gives_the_same_bytes(tmp_path: Path) -> None:
    write_sentences(tmp_path)
    write_params(tmp_path, kind="unigram")
    code = (
        "import sys, runpy, atexit; atexit.register(lambda: print('torch' in sys.modules)); "
        "runpy.run_module('stages.tokenize', run_name='__main__')"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    for run in ("one", "two"):
        command = [sys.executable, "-c", code, *arguments(tmp_path, run)]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert result.stdout.strip() == "False"
    assert files(tmp_path / "one") == files(tmp_path / "two")


def fails_with(folder: Path, message: str) -> None:
    result = CliRunner().invoke(main, arguments(folder))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    write_sentences(tmp_path)
    (tmp_path / "params.yaml").write_text('{"tokenize": {"source": {"kind": "bep"}, "target": null}}')
    fails_with(tmp_path, "tokenize.source.kind is 'bep' (did you mean 'bpe'?)")
    write_params(tmp_path, cas="lower")
    fails_with(tmp_path, "unknown key tokenize.source.cas (did you mean 'case'?)")
    write_params(tmp_path)
    table = tmp_path / "ingest" / "test.parquet"
    table.write_bytes(table.read_bytes()[:-10])
    fails_with(tmp_path, "test.parquet: not a readable Parquet file")
    assert not (tmp_path / "run").exists()
    table.unlink()
    fails_with(tmp_path, "test.parquet: no such file")
    write_sentences(tmp_path, ROWS | {"train": []})
    fails_with(tmp_path, "the source side of the training split holds no text")
