"""``stageformer status`` on the real pipeline: what would run and why, before anything has run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stageformer.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")  # What DVC does inside is not ours.


@pytest.fixture(autouse=True)
def site_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site_cache"))


def status(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["status", "--root", str(root), *arguments])


def as_json(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(status(root, "--json").stdout)
    return found


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("# a comment\n")


def files(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for top in ("data", "reports", "src") for path in (root / top).rglob("*")}


def test_up_to_date(finished) -> None:
    result = status(finished.root)
    assert (result.exit_code, result.stdout) == (0, f"All {len(finished.stages)} stages are up to date.\n")
    assert as_json(finished.root) == {"up_to_date": True, "stages": {}, "since_head": []}


def test_each_reason_is_named_and_nothing_is_touched(repository, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository.root
    repository.set(train_decoder__num_layers=2)
    append(root / "src/stageformer/decoding/forced.py")
    append(root / "src/stageformer/terminal/show.py")
    (root / "data/embed/positions.pt").unlink()
    before = files(root)
    # From a folder below the root, which commands find upwards.
    monkeypatch.chdir(root / "src")
    result = CliRunner().invoke(main, ["status"])
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "check          src/stageformer changed",
        "               params.yaml changed",
        "embed          data/embed/positions.pt is missing",
        "train_encoder  after embed",
        "encode         after train_encoder",
        "train_decoder  train_decoder.num_layers: null -> 2",
        "               after embed, train_encoder, encode",
        "translate      src/stageformer/decoding/forced.py changed",
        "               after encode, train_decoder",
        "evaluate       after train_encoder, train_decoder, translate",
        "export         after train_decoder, evaluate",
        "",
        f"`dvc repro` would run 8 of {len(repository.stages)} stages, at most. A stage whose inputs come",
        "out the same is skipped; one that ran with the same inputs before is restored from DVC's cache.",
        "`dvc checkout` brings back what is missing, if the cache has it.",
        "",
        "Parameters that differ from the last commit (HEAD):",
        "  train_decoder.num_layers: null -> 2",
    ]
    assert files(root) == before

    found = as_json(root)
    assert found["up_to_date"] is False
    assert found["since_head"] == [{"parameter": "train_decoder.num_layers", "old": None, "new": 2}]
    assert found["stages"]["train_decoder"] == {
        "reasons": [
            {"kind": "parameter", "name": "train_decoder.num_layers", "change": "null -> 2", "old": None, "new": 2}
        ],
        "after": ["embed", "train_encoder", "encode"],
    }
    assert found["stages"]["translate"]["reasons"] == [
        {"kind": "code", "name": "src/stageformer/decoding/forced.py", "change": "changed"}
    ]


def test_code_is_named_once_check_has_run_and_after_the_cache_is_lost(repository) -> None:
    root = repository.root
    append(root / "src/stageformer/decoding/forced.py")
    repository.repro("check")
    # The manifest in data/ is the new one now; that of the last run is in the cache.
    reasons = as_json(root)["stages"]["translate"]["reasons"]
    assert reasons == [{"kind": "code", "name": "src/stageformer/decoding/forced.py", "change": "changed"}]
    shutil.rmtree(root / ".dvc/cache")
    result = status(root)
    lost = "its code changed; its earlier manifest, which names the files, is not in DVC's cache"
    assert f"translate      {lost}" in result.stdout
    assert "data/translate/hypotheses.parquet is not in DVC's cache" in result.stdout


def test_another_kind_is_other_code(repository) -> None:
    repository.set(tokenize__source={"kind": "char", "case": "keep", "normalisation": "none"})
    assert status(repository.root).exit_code == 1
    reasons = as_json(repository.root)["stages"]["evaluate"]["reasons"]
    changes = {reason["name"]: reason["change"] for reason in reasons}
    assert changes == {
        "src/stageformer/text/hugging_face.py": "is no longer imported",
        "src/stageformer/text/long_words.py": "is no longer imported",
        "src/stageformer/text/marker.py": "is no longer imported",
        "src/stageformer/text/tokenizers/bpe.py": "is no longer imported",
        "src/stageformer/text/tokenizers/char.py": "is now imported",
    }
    # What status foretold is what happens.
    foretold = list(as_json(repository.root)["stages"])
    assert repository.repro()[0] == foretold
    assert as_json(repository.root)["stages"] == {}


def test_an_own_corpus_a_command_and_a_stage_that_never_ran(repository) -> None:
    root = repository.root
    append(root / "corpus/train.en")
    text = (root / "dvc.yaml").read_text()
    (root / "dvc.yaml").write_text(text.replace("-m stages.export", "-W default -m stages.export"))
    lock = (root / "dvc.lock").read_text()
    found = as_json(root)["stages"]
    assert found["ingest"]["reasons"] == [{"kind": "input", "name": "corpus", "change": "changed"}]
    assert found["export"]["reasons"] == [{"kind": "command", "name": "", "change": "its command changed"}]
    (root / "dvc.lock").write_text(lock.replace("\n  evaluate:\n", "\n  evaluated:\n"))
    assert as_json(root)["stages"]["evaluate"]["reasons"] == [
        {"kind": "never run", "name": "", "change": "it has not run yet"}
    ]
    (root / "dvc.lock").unlink()
    result = status(root)
    assert result.stdout.count("it has not run yet") == len(repository.stages)
    assert result.exit_code == 1


def test_without_git_nothing_is_compared_with_a_commit(repository) -> None:
    shutil.rmtree(repository.root / ".git")
    (repository.root / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    repository.set(translate__beam_size=3)
    assert as_json(repository.root)["since_head"] is None
    assert "HEAD" not in status(repository.root).stdout


def test_a_mistake_is_one_line_and_exit_code_2(repository) -> None:
    params = repository.root / "params.yaml"
    params.write_text(params.read_text().replace("beam_size:", "beam_sise:"))
    result = status(repository.root)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(": unknown key translate.beam_sise (did you mean 'beam_size'?)\n")
    repository.git("checkout", "params.yaml")
    (repository.root / "dvc.yaml").write_text("stages:\n  check: [\n")
    result = status(repository.root)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
