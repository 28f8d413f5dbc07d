"""One real run of the pipeline on a toy corpus, in a repository of its own, that the tests of several folders share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stageformer.params.recipes import use

ROOT = Path(__file__).parents[1]
NUMBERS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs"}
THINGS = {"lights": "Lampen", "doors": "Türen", "windows": "Fenster", "keys": "Schlüssel", "clocks": "Uhren"}
PLACES = {"kitchen": "in der Küche", "house": "im Haus", "garden": "im Garten", "street": "auf der Straße"}


@dataclass
class Repository:
    """A copy of this repository."""

    root: Path
    run_dvc: Callable[..., subprocess.CompletedProcess[str]]

    @cached_property
    def stages(self) -> dict[str, Any]:
        """The stages of ``dvc.yaml``."""
        return YAML(typ="safe", pure=True).load(self.root / "dvc.yaml")["stages"]

    def git(self, *arguments: str) -> str:
        """Run git, free of this machine's settings, and return what it prints."""
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", *arguments]
        run = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{command}: {run.stderr}"
        return run.stdout

    def commit(self) -> None:
        """Commit everything that git does not ignore."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=A step")

    def dvc(self, *arguments: str, **variables: str) -> str:
        """Run DVC, which must succeed, and return what it prints."""
        run = self.run_dvc(self.root, *arguments, **variables)
        assert run.returncode == 0, f"dvc {arguments}: {run.stdout}\n{run.stderr}"
        return run.stdout

    def repro(self, *targets: str, **variables: str) -> tuple[list[str], list[str]]:
        """``dvc repro``: the stages whose scripts ran, and those that were restored from the run cache."""
        printed = self.dvc("repro", *targets, **variables)
        return ran(printed), re.findall(r"^Stage '(\w+)' is cached - skipping run", printed, re.MULTILINE)

    def set(self, **values: object) -> None:
        """Set parameters; ``__`` means the dot of ``group.name``."""
        yaml = YAML()
        yaml.width = 200
        path = self.root / "params.yaml"
        content = yaml.load(path)
        for name, value in values.items():
            *groups, leaf = name.split("__")
            place = content
            for group in groups:
                place = place[group]
            assert leaf in place, name
            place[leaf] = value
        yaml.dump(content, path)

    def hashes(self) -> dict[str, str]:
        """The md5 of every output in ``dvc.lock``."""
        lock = YAML(typ="safe", pure=True).load(self.root / "dvc.lock")
        return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}

    def outs(self, stage: str) -> list[str]:
        """Every output that ``dvc.yaml`` declares for a stage."""
        declared = [out for kind in ("outs", "metrics", "plots") for out in self.stages[stage].get(kind, [])]
        return [out if isinstance(out, str) else next(iter(out)) for out in declared]

    def copy(self, root: Path) -> Repository:
        """Copy all of it: code, artifacts, cache, history."""
        shutil.copytree(self.root, root, symlinks=True)
        return Repository(root, self.run_dvc)


def ran(printed: str) -> list[str]:
    """The stages whose scripts DVC says it ran."""
    return re.findall(r"^Running stage '(\w+)'", printed, re.MULTILINE)


def write_corpus(folder: Path) -> None:
    """120 distinct sentence pairs for training and test, 8 for validation, and what ``ingest`` must drop."""
    pairs = [
        (f"{number} {thing} {place}", f"{NUMBERS[number]} {THINGS[thing]} {PLACES[place]}")
        for number in NUMBERS for thing in THINGS for place in PLACES
    ]
    valid = [(f"no {word} here", f"keine {THINGS[word]} hier") for word in THINGS]
    valid += [(f"a {word} there", f"dort {PLACES[word]}") for word in list(PLACES)[:3]]
    train = [*pairs, *pairs[:3], ("on " * 200 + "on", "an " * 200 + "an"), valid[0]]
    folder.mkdir(exist_ok=True)
    for name, rows in (("train", train), ("valid", valid)):
        for side, language in enumerate(("en", "de")):
            (folder / f"{name}.{language}").write_text("".join(f"{row[side]}\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="session")
def finished(made_once, dvc) -> Repository:
    """The repository after a real ``dvc repro`` from nothing, committed. Shared: `repository` is for changing."""

    def make(folder: Path) -> None:
        finish(Repository(folder / "a repository", dvc))

    return Repository(made_once("pipeline", make) / "a repository", dvc)


def finish(repository: Repository) -> None:
    """Make ``repository`` a copy of this one on a toy corpus, run its pipeline, and commit what came out."""
    root = repository.root
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\0"):
        # What a run of the checkout left is no part of a start from nothing.
        if name and name != "dvc.lock" and not name.startswith(("reports/", "tests/")) and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    write_corpus(root / "corpus")
    use("smoke", root / "params.yaml", root / "recipes")
    repository.set(
        ingest__source="lines",
        ingest__files__train=["corpus/train.en", "corpus/train.de"],
        ingest__files__valid=["corpus/valid.en", "corpus/valid.de"],
    )
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.git("config", "user.name", "A User")
    repository.git("config", "user.email", "user@example.org")
    repository.commit()
    assert repository.repro() == (list(repository.stages), [])
    repository.commit()


@pytest.fixture
def repository(finished: Repository, tmp_path: Path) -> Repository:
    """A copy of `finished` that a test may change."""
    return finished.copy(tmp_path / "a copy")
