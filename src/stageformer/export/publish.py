"""A folder to publish: the exported formats with a card that says which commit they come from.

Laid out as Hugging Face expects of a repository: ``transformers`` loads the folder itself, and the formats of
CTranslate2 are folders in it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stageformer.artifacts.files import atomic_file, atomic_folder, check_new_folder, write_json
from stageformer.artifacts.reading import read_json
from stageformer.errors import StageformerError, did_you_mean
from stageformer.export.card import ON_THIS_CPU, card, read_facts
from stageformer.export.formats.base import export_format
from stageformer.params.reading import read_yaml
from stageformer.translator.model_folder import FORMAT

EXPORT = Path("data/export")
REPORT = Path("reports/export") / ON_THIS_CPU
MODEL = "data/train_decoder/model.pt"


def publish(
    root: Path,
    folder: Path,
    *,
    formats: Sequence[str] = (),
    license: str | None = None,
    data_license: str | None = None,
) -> list[str]:
    """Copy what the stage export made into a new folder.

    Args:
        root: of the repository
        folder: created; it appears when it is complete
        formats: those to copy, of which ``stageformer`` is what `Translator.load` reads; none: all that were exported
        license: licence of the model; None: as export.license said
        data_license: licence of the corpus; None: as export.data_license said

    Returns:
        The formats that were copied.

    Raises:
        StageformerError: the folder is not empty, or there is no export, or none of this format or model.
    """
    check_new_folder(folder)
    facts = read_facts(root / EXPORT)
    if license:
        facts["license"] = license
    if data_license:
        facts["data_license"] = data_license
    available = [FORMAT, *facts["formats"]]
    chosen = list(formats) or available
    for name in chosen:
        if name not in available:
            raise StageformerError(
                f"{root / EXPORT}: holds no {name!r}{did_you_mean(name, available)}; add it to export.formats "
                "and run `dvc repro export`"
            )
    on_this_cpu = _on_this_cpu(root)
    facts["formats"] = {
        name: found | on_this_cpu.get(name, {}) for name, found in facts["formats"].items() if name in chosen
    }
    stages = _locked(root, facts)
    with atomic_folder(folder, ()) as new:
        places = {name: _place(name) for name in available if name in chosen}
        for name, place in places.items():
            shutil.copytree(root / EXPORT / name, new / place, dirs_exist_ok=True)
        write_json(new / "parameters.json", _parameters(stages))
        with atomic_file(new / "README.md") as file:
            file.write(card(facts, places, _origin(root, stages)).encode())
        for path in [new, *new.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)  # DVC's cache is read-only; this copy is the user's
    return list(places)


def _place(name: str) -> str:
    """Return the place of the folder of a format, relative to the card."""
    return "." if name != FORMAT and export_format(name).is_at_the_root else name


def _on_this_cpu(root: Path) -> Mapping[str, Any]:
    """Return the figures of the CPU that exported, by format: none if the report was not kept."""
    path = root / REPORT
    found: Mapping[str, Any] = read_json(path) if path.exists() else {}
    return found


def _locked(root: Path, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the stages of ``dvc.lock``. Raises StageformerError unless it is of the model that was exported."""
    path = root / "dvc.lock"
    content: Any = read_yaml(path) if path.exists() else {}
    stages: Mapping[str, Any] = content.get("stages", {})
    if "export" not in stages:
        raise StageformerError(f"{path}: knows no stage export; run `dvc repro`, which records where models come from")
    hashes = {dep["path"]: dep.get("md5") for dep in stages["export"]["deps"]}
    if hashes.get(MODEL) != facts["inputs"].get(MODEL):
        raise StageformerError(f"{path}: names another {MODEL} than the one that was exported; run `dvc repro`")
    return stages


def _parameters(stages: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter that the model was made with, by group, as ``dvc.lock`` recorded them."""
    found: dict[str, Any] = {}
    for stage in stages.values():
        found |= stage.get("params", {}).get("params.yaml", {})
    # Comments and styles of the YAML stay behind.
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def _origin(root: Path, stages: Mapping[str, Any]) -> list[str]:
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        state = "not known: this was no git repository"
    elif _git(root, "status", "--porcelain", "--untracked-files=no"):
        state = f"`{commit}`, with changes that were not committed"
    else:
        state = f"`{commit}`"
    inputs = [
        f"| `{dep['path']}` | `{dep['md5']}` |"
        for dep in stages["export"]["deps"]
        if dep["path"].startswith(("data/", "reports/"))
    ]
    return [
        f"Commit: {state}. Every parameter is in `parameters.json`.",
        "Inputs of the export, as `dvc.lock` records them:",
        "\n".join(["| input | md5 |", "| --- | --- |", *inputs]),
    ]


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where there is no git or no repository."""
    try:
        run = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()
