"""The small finished repository that attacks are made on: the pipeline run by its own scripts, without DVC."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from stageformer.params.recipes import use
from tests.repositories import ROOT, write_corpus

TRANSLATION = "translation"
LANGUAGE_MODEL = "language model"
"""The world whose encoder is a language model, on a corpus of one side with a label for each text."""

STAGES = (
    "check", "ingest", "tokenize", "vocab", "embed", "train_encoder", "encode", "train_decoder", "translate",
    "evaluate",
)  # fmt: skip
"""All but ``export``, which imports the libraries of other engines for seconds."""


def make_worlds(folder: Path) -> None:
    """Fill the folders of all worlds below ``folder``: ``translation``, and ``LANGUAGE_MODEL``."""
    make_world(folder / TRANSLATION)
    make_language_model(folder / LANGUAGE_MODEL)


def make_world(root: Path) -> None:
    """Fill the folder ``root`` with a finished run of all stages, but for export."""
    _make(root, "smoke", {}, STAGES)


def make_language_model(root: Path) -> None:
    """Fill the folder ``root`` with a run up to the memory of a language model."""
    changes = {"source_language": "en", "target_language": None, "labels": "one"}
    _make(root, "next_token smoke", changes, STAGES[: STAGES.index("train_decoder")])


def _make(root: Path, recipe: str, changes: dict[str, object], names: Sequence[str]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name in ("dvc.yaml", "recipes"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, root / name)
    write_corpus(root / "corpus")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").touch()
    use(recipe, root / "params.yaml", root / "recipes")
    yaml = YAML()
    yaml.width = 200
    params = yaml.load(root / "params.yaml")
    params["ingest"]["source"] = "lines"
    params["ingest"] |= changes
    other = "labels" if changes else "de"
    for split in ("train", "valid"):
        if changes:
            texts = (root / f"corpus/{split}.en").read_text().splitlines()
            (root / f"corpus/{split}.labels").write_text("".join(f"{text.split()[0]}\n" for text in texts))
            params["ingest"]["files"]["target_column"] = None
        params["ingest"]["files"][split] = [f"corpus/{split}.en", f"corpus/{split}.{other}"]
    params["embed"]["max_length"] = 300
    yaml.dump(params, root / "params.yaml")
    variables = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1",
        "STAGEFORMER_SCRATCH": str(root / "scratch"),
    }  # fmt: skip
    # One process for all stages: importing torch for each would take most of the time.
    script = (
        "import importlib, sys\nfor name in sys.argv[1:]:\n"
        "    importlib.import_module(f'stages.{name}').main([], standalone_mode=False)"
    )
    subprocess.run([sys.executable, "-c", script, *names], cwd=root, env=variables, check=True)
    _write_lock(root, names)
    git = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    for command in (["init", "--quiet"], ["add", "dvc.yaml", "params.yaml", "dvc.lock"], ["commit", "-qm", "A run"]):
        identity = ["-c", "user.name=A User", "-c", "user.email=user@example.org"]
        subprocess.run(["git", *identity, *command], cwd=root, check=True, env=git)


def _write_lock(root: Path, names: Sequence[str]) -> None:
    """Write a ``dvc.lock`` with what the report and `show` read of it."""
    stages = YAML(typ="safe", pure=True).load(root / "dvc.yaml")["stages"]
    lock = {}
    for name in names:
        outs = [next(iter(out)) if isinstance(out, dict) else out for out in stages[name].get("outs", [])]
        lock[name] = {
            "cmd": stages[name]["cmd"],
            "deps": [{"path": path, "hash": "md5", "md5": _md5(root / path)} for path in stages[name].get("deps", [])],
            "outs": [{"path": path, "hash": "md5", "md5": _md5(root / path)} for path in outs],
        }
    YAML().dump({"schema": "2.0", "stages": lock}, root / "dvc.lock")


def _md5(path: Path) -> str:
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return hashlib.md5(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()
