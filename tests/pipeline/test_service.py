"""The whole pipeline on the vectors of a service: asked once for each sentence, and then only for what is new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stageformer.artifacts.tables import read_table
from stageformer.memory.store import MemoryStore
from stageformer.vectors._asking import CANARY
from tests.heads.test_pipeline import with_labels
from tests.pipeline.test_pretrained import run
from tests.repositories import Repository
from tests.vectors.services import Server, serving, vector_of

NEW = "seven lights in the garden \u263c"


def choose(repository: Repository, server: Server, **changes: object) -> None:
    """Make the parameters ask the server."""
    server.width = 24
    service = {
        "kind": "http", "revision": None, "base_url": server.base_url, "model": "m", "dimensions": None,
        "batch_size": 10, "api_key_variable": None, "price": 1.0,
    }  # fmt: skip
    tokenizer = {"kind": "byte_bpe", "case": "keep", "normalisation": "none", "vocabulary_size": 300}
    repository.set(
        tokenize__source=tokenizer, train_encoder__objective="service", train_encoder__service=service,
        train_decoder__target_embedding="embed", export__formats=[], **changes,
    )  # fmt: skip


def sources(repository: Repository) -> list[str]:
    """Every distinct source of the corpus, sorted."""
    splits = ("train", "valid", "test")
    tables = [read_table(repository.root / f"data/ingest/{split}.parquet", "sentences", ["source"]) for split in splits]
    return sorted({str(text) for table in tables for text in table["source"].to_pylist()})


def asked(server: Server) -> list[str]:
    return sorted(text for text in server.asked if text != CANARY)


def killed(repository: Repository, server: Server, most: int) -> None:
    """Run the stage encode, and kill it when the server has answered so many texts."""
    running: list[subprocess.Popen[str]] = []

    def intercept(texts: list[str]) -> tuple[int, dict[str, str], bytes] | None:
        if running and len(server.asked) > most:
            running.pop().kill()
            return 500, {}, b""
        return None

    server.intercept = intercept
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.encode"], cwd=repository.root, text=True, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(repository.root / "src")},
    )  # fmt: skip
    running.append(process)
    _, printed = process.communicate()
    assert process.returncode == -9, printed
    server.intercept = lambda texts: None


def test_every_stage_runs_and_nothing_is_asked_twice(repository: Repository, tmp_path: Path) -> None:
    with serving() as server:
        choose(repository, server)
        assert repository.repro("train_encoder")[0] == ["check", "tokenize", "vocab", "embed", "train_encoder"]
        assert len(asked(server)) == 1
        killed(repository, server, 60)
        assert 50 < len(asked(server)) < 80
        assert repository.repro()[0] == ["encode", "train_decoder", "translate", "evaluate", "export"]
        texts = sources(repository)
        assert asked(server) == texts  # the text as the corpus has it, each once, whatever was killed
        store = MemoryStore(repository.root / "data/encode/train")
        assert (store.width, set(store.lengths)) == (24, {1})
        rows = read_table(repository.root / "data/ingest/train.parquet", "sentences", ["id", "source"]).to_pydict()
        first = store.batch(store.rows_of([rows["id"][0]]))[0][0, 0].tolist()  # type: ignore[arg-type]
        assert first == vector_of(rows["source"][0], 24)
        answers = read_table(next((repository.root / "data/encode/answers").iterdir()), "answers", ["text"])
        assert sorted(map(str, answers["text"].to_pylist())) == sorted([CANARY, *texts])
        metrics = json.loads((repository.root / "reports/evaluate/metrics.json").read_text())
        assert metrics["sentences"] > 5

        # Another address, key or batch size decides no vector.
        repository.set(train_encoder__service__batch_size=7)
        assert repository.repro("encode")[0] == ["check", "train_encoder"]

        # Another decoder needs nobody; a new text, once.
        repository.set(train_decoder__memory_noise=0.1)
        assert repository.repro("translate")[0] == ["check", "train_decoder", "translate"]
        assert asked(server) == texts
        translated = run(repository, "translate", NEW)
        assert translated.returncode == 0, translated.stderr
        assert "for 1 texts" in translated.stderr
        assert run(repository, "translate", NEW).stdout == translated.stdout
        assert run(repository, "similar", NEW, "--number", "3").returncode == 0
        assert asked(server) == sorted([*texts, NEW])
        repository.repro()
        for command, message in (
            (("explain", NEW), "there is no attention over it to draw"),
            (("walk", NEW), "not that of the last layer of an encoder of ours"),
            (("probe",), "is of others"),
            (("translate", "--model", "data/export", NEW), "is asked only in the repository whose params.yaml names"),
        ):
            refused = run(repository, *command)
            assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
            assert message in refused.stderr
        assert "the service m is asked for" in (repository.root / "data/export/README.md").read_text()

        # A clone, which has the output and no store.
        repository.dvc("remote", "add", "--default", "shared", str(tmp_path / "remote"))
        repository.commit()
        repository.dvc("push", "--with-deps", "encode")
        repository.git("clone", "--quiet", ".", str(tmp_path / "clone"))
        clone = Repository(tmp_path / "clone", repository.run_dvc)
        clone.dvc("pull", "--with-deps", "encode")
        before = len(server.asked)
        clone.set(encode__dtype="float16")
        # Git keeps no empty folder, such as that for the curves of what nothing trains.
        assert clone.repro("encode")[0] == ["check", "train_encoder", "encode"]
        assert len(server.asked) == before
        assert MemoryStore(clone.root / "data/encode/train").dtype == "float16"


def test_a_head_learns_from_the_vectors(finished: Repository, tmp_path: Path) -> None:
    with serving() as server:
        repository = with_labels(finished, tmp_path, "one")
        choose(repository, server)
        repository.dvc("repro", "heads/dvc.yaml")
        texts = sources(repository)
        assert asked(server) == texts
        predicted = run(repository, "predict", NEW, texts[0])
        assert predicted.returncode == 0, predicted.stderr
        assert asked(server) == sorted([*texts, NEW])
        refused = run(repository, "predict", "--export", str(tmp_path / "head"))
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert "it cannot leave it" in refused.stderr


@pytest.mark.parametrize("number", [2])
def test_of_several_processes_one_asks(repository: Repository, number: int) -> None:
    with serving() as server:
        choose(repository, server, compute__processes=number)
        repository.repro("encode")
        assert asked(server) == sources(repository)
