"""``dvc repro`` for real: every stage from nothing, then only what a change touches, and the same bits each time."""

from __future__ import annotations

import json
from pathlib import Path

import pandas
import pytest
import torch
from click.testing import CliRunner

from stageformer.cli import main


def test_every_declared_output_is_there(finished) -> None:
    for stage in finished.stages:
        for out in finished.outs(stage):
            assert (finished.root / out).exists(), out
    # Committed with everything that git does not ignore: the artifacts are none of it, the reports are.
    committed = finished.git("ls-files").splitlines()
    assert [name for name in committed if name.startswith("data/")] == ["data/README.md"]
    assert {out for out in finished.hashes() if out.startswith("reports/") and out.endswith(".json")} <= set(committed)


def test_every_stage_that_computes_says_in_which_environment(finished) -> None:
    environments = [f"reports/{stage}/environment.json" for stage in finished.stages if stage != "check"]
    assert set(environments) <= set(finished.git("ls-files").splitlines())
    # They may differ where the outputs are the same: DVC knows nothing of them.
    assert not set(environments) & set(finished.hashes())
    assert "up to date" in finished.dvc("status", "dvc.yaml")


def test_the_reports_hold_counts_and_scores(finished) -> None:
    metrics = json.loads((finished.root / "reports/ingest/metrics.json").read_text())
    assert metrics["sentences"] == {"train": 102, "valid": 8, "test": 18}
    assert {why: count for why, count in metrics["dropped"].items() if count} == {
        "duplicate": 3, "leak": 1, "too_long": 1,
    }
    scores = json.loads((finished.root / "reports/evaluate/metrics.json").read_text())
    assert {"beam", "greedy", "copy_source", "perplexity"} <= scores.keys()


def test_artifacts_open_with_pandas_and_torch_alone(finished) -> None:
    data = finished.root / "data"
    tables = sorted(data.rglob("*.parquet"))
    stages = {path.relative_to(data).parts[0] for path in tables}
    assert stages == {"ingest", "tokenize", "vocab", "embed", "translate", "evaluate", "export"}
    for path in tables:
        # This corpus has no labels: their tables are there, without rows.
        assert bool(len(pandas.read_parquet(path))) != (path.parent.name == "labels"), path
    tensors = sorted(data.rglob("*.pt"))
    stages = {path.relative_to(data).parts[0] for path in tensors}
    assert stages == {"embed", "train_encoder", "encode", "train_decoder", "export"}
    for path in tensors:
        assert torch.load(path, weights_only=True, mmap=True), path


def run_cli(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_artifact_can_be_shown(finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.root)
    for stage in finished.stages:
        for out in filter(lambda out: out.startswith("data/"), finished.outs(stage)):
            below = sorted(map(str, Path(out).rglob("*"))) if Path(out).is_dir() else []
            for path in [out, *below]:
                shown = run_cli("show", path)
                assert shown.startswith(f"{path}: "), path
                assert f"python -m stages.{stage}" in shown, path


def test_summary_and_translate(finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.root)
    assert "beam search" in run_cli("summary")
    assert run_cli("translate", "two keys garden").count("\n") == 1


def test_a_second_run_runs_nothing_nor_does_a_comment_that_no_stage_imports(repository) -> None:
    printed = repository.dvc("repro")
    for stage in repository.stages:
        assert f"Stage '{stage}' didn't change, skipping" in printed
    assert "Running stage" not in printed
    assert "is cached" not in printed
    with (repository.root / "src/stageformer/terminal/show.py").open("a") as file:
        file.write("# a comment\n")
    assert repository.repro() == (["check"], [])


def append(repository, file: str) -> None:
    with (repository.root / file).open("a") as stream:
        stream.write("# a comment\n")


def test_a_tokenizer_that_is_not_chosen_reruns_nothing_and_going_back_to_the_chosen_one_computes_nothing(
    repository,
) -> None:
    before = repository.hashes()
    append(repository, "src/stageformer/text/tokenizers/char.py")
    (repository.root / "src/stageformer/text/tokenizers/new.py").write_text("# not even Python: (\n")
    assert repository.repro() == (["check"], [])

    append(repository, "src/stageformer/text/tokenizers/bpe.py")
    # `vocab` asks the tokenizer what it learned. The tokens and their ids are the same.
    assert repository.repro() == (["check", "tokenize", "vocab", "embed", "evaluate", "export"], [])
    repository.git("checkout", "src")
    repository.git("clean", "--force", "--quiet", "src")
    assert repository.repro() == (["check"], ["tokenize", "vocab", "embed", "evaluate", "export"])
    assert {path for path, md5 in repository.hashes().items() if before[path] != md5} == set()


def test_scores_and_pictures_do_not_repeat_the_search(repository) -> None:
    repository.set(evaluate__num_pictures=2)
    # The scores are the same, which are all that `export` reads.
    assert repository.repro() == (["check", "evaluate"], [])
    repository.set(evaluate__lowercase=True)
    assert repository.repro() == (["check", "evaluate", "export"], [])


def test_only_what_depends_on_a_change_runs_and_going_back_computes_nothing(repository) -> None:
    before = repository.hashes()
    repository.set(translate__beam_size=3)
    assert repository.repro() == (["check", "translate", "evaluate", "export"], [])
    repository.set(translate__beam_size=2, train_decoder__training__seed=2)
    assert repository.repro() == (["check", "train_decoder", "translate", "evaluate", "export"], [])
    after = repository.hashes()
    changed = {out for out in before if after[out] != before[out]}
    assert "data/train_decoder/model.pt" in changed
    assert {out.split("/")[1] for out in changed} == {"train_decoder", "translate", "evaluate", "export"}
    model = (repository.root / "data/train_decoder/model.pt").read_bytes()

    repository.git("checkout", "params.yaml")
    # DVC keeps no runs of `check`, whose outputs it must never delete; that stage takes no time.
    assert repository.repro() == (["check"], ["train_decoder", "translate", "evaluate", "export"])
    assert repository.hashes() == before
    # What a run took is reported by the last run, wherever its outputs come from.
    changed_files = repository.git("status", "--porcelain").split()[1::2]
    assert {Path(path).name for path in changed_files} <= {"cost.json", "speed.json"}
    assert (repository.root / "data/train_decoder/model.pt").read_bytes() != model


def test_a_change_of_the_own_corpus_is_seen(repository) -> None:
    for language in ("en", "de"):
        with (repository.root / f"corpus/train.{language}").open("a", encoding="utf-8") as file:
            file.write("seven\n")
    status = repository.dvc("status", "ingest")
    assert "changed deps" in status
    assert "corpus" in status
