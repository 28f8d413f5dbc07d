"""The stages before training write the same bytes whoever computes the parts."""

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from stageformer.compute.pool import SERIAL, Pool, WorkerProcesses
from stageformer.corpus.ingest import ingest, open_corpus
from stageformer.corpus.sources.base import Record
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.ingest import Ingest
from stageformer.params.tokenize import Tokenize
from stageformer.params.vocab import Vocab
from stageformer.text.tokenize_splits import tokenize_splits
from stageformer.text.vocab_splits import vocab_splits
from tests.families import values

WORDS = "light door open the off heating of kitchen Berlin turn Über 漢字 and state {name} unable".split()


@pytest.fixture(scope="module")
def pools() -> Iterator[dict[int, Pool]]:
    with WorkerProcesses(2, patience=0) as two, WorkerProcesses(4, patience=0) as four:
        yield {1: SERIAL, 2: two, 4: four}


@pytest.fixture(autouse=True)
def many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stageformer.corpus.plan.ROWS", 64)
    monkeypatch.setattr("stageformer.artifacts.tables.ROWS_PER_GROUP", 128)


def sentence(number: int, side: int) -> str:
    numbers = [number * 7919 + side * 13, number // 3, number % 11, number * number]
    return " ".join(WORDS[each % len(WORDS)] for each in numbers) + f" {number % 700}"


ROWS = [(sentence(number, 0), sentence(number, 1), f"l{number % 5}") for number in range(1500)]
ROWS += [*ROWS[:40], ("42", "43", "l1")]
ROWS += [(f"Same source {number}", target, "l1") for number in range(30) for target in ("first", "second", "first.")]


def write(folder: Path, name: str) -> None:
    if name == "tsv":
        lines = ["source\tnote\ttarget\tlabel", *(f"{a}\tx\t{b}\t{c}" for a, b, c in ROWS)]
        lines[77:77] = ["", "one column alone"]
        with gzip.open(folder / "corpus.tsv.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(lines))
    elif name == "jsonl":
        lines = [json.dumps({"source": a, "target": b, "label": c, "group": len(a)}) for a, b, c in ROWS]
        (folder / "corpus.jsonl").write_text("\n".join([*lines, "{not json", '{"source": 1}']))
    else:
        for side in (0, 1):
            (folder / f"corpus.{side}").write_text("\n".join(row[side] for row in ROWS))
            (folder / f"test.{side}").write_text("\n".join(row[side] for row in [*ROWS[::100], *ROWS[-9:]]))


CORPORA: dict[str, dict[str, Any]] = {
    "tsv": {"train": ["corpus.tsv.gz"], "header": True},
    "jsonl": {"train": ["corpus.jsonl", "corpus.jsonl"], "tags": ["<2a>", "<2b>"], "weights": [1, 2],
              "group_column": "group"},
    "lines": {"train": ["corpus.0", "corpus.1"], "test": ["test.0", "test.1"]},
}  # fmt: skip


def parameters_of(name: str, make_params: Callable[..., Ingest]) -> Ingest:
    labelled = name != "lines"
    files = {"source_column": "source", "target_column": "target", "label_column": "label" if labelled else None}
    changes = {"labels": "one" if labelled else "none", "on_bad_line": "drop", "max_length_ratio": 1.5}
    return make_params(source=name, files=files | CORPORA[name], **changes)


def run(params: Ingest, kind: str, pool: Pool) -> dict[str, str]:
    """Run the three stages in the current folder; return the hash of every file."""
    for name in ("data", "reports"):
        shutil.rmtree(name, ignore_errors=True)
    reports = Path("reports")
    reports.mkdir()
    ingest(open_corpus(params, Path()), params, Path("data/ingest"), pool).write(reports / "ingest")
    options = parse(Tokenize, {"source": values(kind, vocabulary_size=90), "target": None}, "tokenize")
    tokenize_splits(Path("data/ingest"), Path("data/tokenize"), reports / "tokenize", options, pool)
    vocab = Vocab(shared=False, min_frequency=2, max_size=None)
    vocab_splits(Path("data/tokenize"), Path("data/vocab"), reports / "vocab", vocab, pool)
    files = [path for name in ("data", "reports") for path in sorted(Path(name).rglob("*")) if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("name", "kind"), [("tsv", "bpe"), ("jsonl", "sentencepiece"), ("lines", "word")])
def test_the_number_of_workers_changes_no_byte(
    name: str, kind: str, pools: dict[int, Pool], make_params: Callable[..., Ingest], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write(tmp_path, name)
    found = {workers: run(parameters_of(name, make_params), kind, pool) for workers, pool in pools.items()}
    assert len(found[1]) > 20
    assert found[2] == found[1]
    assert found[4] == found[1]
    metrics = json.loads(Path("reports/ingest/metrics.json").read_bytes())
    # What the corpora were made to hold: a part alone does not tell all of it.
    assert metrics["dropped"]["duplicate" if name != "lines" else "leak"] > 5
    assert metrics["merged_references"] > 0 or name == "jsonl"
    assert metrics["dropped"]["no_letters"] > 0


def test_a_bad_line_is_named_and_what_was_there_stays(
    pools: dict[int, Pool], make_params: Callable[..., Ingest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "lines")
    params = parameters_of("lines", make_params).model_copy(update={"on_bad_line": "error"})
    before = run(params, "word", pools[2])
    for side, bad in ((0, b"source"), (1, b"\xff")):
        with open(f"corpus.{side}", "ab") as file:
            file.write(b"\n" + bad + b"\n" + bad + b" too")
    for pool in pools.values():
        with pytest.raises(StageformerError, match=r"^corpus\.1:1632:1: byte 0xff is not UTF-8; fix it, or set "):
            ingest(open_corpus(params, Path()), params, Path("data/ingest"), pool)
        assert all(hashlib.sha256(Path(path).read_bytes()).hexdigest() == found for path, found in before.items())
        assert not Path("data/ingest/.unfinished").exists()


def test_a_corpus_that_changes_while_it_is_read_is_refused(
    pools: dict[int, Pool], make_params: Callable[..., Ingest], tmp_path: Path
) -> None:
    class Growing:
        readings = 0

        def __iter__(self) -> Iterator[Record]:
            self.readings += 1
            yield from (Record(a, b, "", "x") for a, b, _ in ROWS[: 1000 + self.readings])

    for pool in pools.values():
        with pytest.raises(StageformerError, match=r"^the corpus of train changed while it was read"):
            ingest({"train": Growing()}, make_params(), tmp_path / "never", pool)
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_stage_leaves_what_was_there(number: signal.Signals, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    values = yaml.safe_load((root / "recipes/default.yaml").read_text())
    values["ingest"]["source"] = "letters"
    values["ingest"]["letters"] |= {"strings": 3_000_000, "max_length": 12, "alphabet": 26}
    values["compute"]["threads"] = 2
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "data/ingest").mkdir(parents=True)
    (tmp_path / "data/ingest/train.parquet").write_bytes(b"of an earlier run")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    with subprocess.Popen(
        [sys.executable, "-m", "stages.ingest"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
        # A shell lets its background jobs ignore SIGINT.
        start_new_session=True, preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
    ) as stage:  # fmt: skip
        assert stage.stderr is not None
        process, workers = psutil.Process(stage.pid), []
        while len(workers) < 2:
            assert stage.poll() is None
            time.sleep(0.05)
            workers = [child for child in process.children() if "spawn_main" in " ".join(child.cmdline())]
        time.sleep(1)
        os.killpg(stage.pid, signal.SIGINT) if number == signal.SIGINT else stage.kill()
        said = stage.stderr.read()
    assert not psutil.wait_procs(workers, timeout=20)[1]
    if number == signal.SIGINT:
        assert stage.returncode == 130
        assert said.endswith("interrupted\n")
        assert said.count("Traceback") == 1, said  # of this process, which STAGEFORMER_DEBUG asks for
        assert not (tmp_path / "data/ingest/.unfinished").exists()
    assert (tmp_path / "data/ingest/train.parquet").read_bytes() == b"of an earlier run"
    assert not (tmp_path / "data/ingest/test.parquet").exists()
