"""How to get an output of the pipeline that is not there: for messages, which must not advise what cannot work."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stageformer.params.reading import read_yaml

LOCK = "dvc.lock"


def how_to_get(path: str, root: Path) -> str:
    """Return what brings a missing file or folder of the workspace, as the end of a message.

    Args:
        path: relative to the root.
        root: of the repository.

    Raises:
        StageformerError: ``dvc.lock`` is not readable as YAML.
    """
    lock: Any = read_yaml(root / LOCK) if (root / LOCK).exists() else {}
    outs = [out["path"] for stage in (lock.get("stages") or {}).values() for out in stage.get("outs") or []]
    if not any(Path(path).is_relative_to(out) or Path(out).is_relative_to(path) for out in outs):
        return "make it with `dvc repro`"
    if find_spec("dvc") is None:  # as where only a model is used
        return "`dvc pull` or `dvc repro` brings it"
    if remotes := configured_remotes(root):
        return f"`dvc pull` fetches it from the remote {', '.join(remotes)}, or `dvc repro` makes it"
    return "`dvc repro` makes it, or takes it from DVC's cache; no remote is configured to pull it from"


def configured_remotes(root: Path) -> list[str]:
    """Return the names of the remotes that DVC is told of, in the repository ``root`` or for this user or machine."""
    from dvc.config import Config

    return sorted(Config(str(root / ".dvc"), validate=False)["remote"])
