"""How to get an output of the pipeline that is not there: for messages, which must not advise what cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError
from stageformer.params.reading import read_yaml

LOCK = "dvc.lock"


def how_to_get(path: str, root: Path) -> str:
    """Return what brings a missing file or folder of the workspace, as the end of a message.

    Args:
        path: relative to the root.
        root: of the repository.

    Raises:
        StageformerError: as :func:`locked_outputs`.
    """
    outs = [out["path"] for _, out in locked_outputs(root / LOCK)]
    if not any(Path(path).is_relative_to(out) or Path(out).is_relative_to(path) for out in outs):
        return "make it with `dvc repro`"
    if find_spec("dvc") is None:  # as where only a model is used
        return "`dvc pull` or `dvc repro` brings it"
    if remotes := remote_settings(root)["remote"]:
        return f"`dvc pull` fetches it from the remote {', '.join(remotes)}, or `dvc repro` makes it"
    return "`dvc repro` makes it, or takes it from DVC's cache; no remote is configured to pull it from"


def locked_outputs(lock: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each output that a ``dvc.lock`` names, with its stage; none if there is no such file.

    Raises:
        StageformerError: it is not readable as YAML, or not as DVC writes it.
    """
    content: Any = read_yaml(lock) if lock.is_file() else {}
    for name, stage in _mapping(lock, content.get("stages") or {}).items():
        outs = _mapping(lock, stage).get("outs") or []
        for out in outs if isinstance(outs, list) else [outs]:
            if not isinstance(_mapping(lock, out).get("path"), str) or not isinstance(out.get("md5", ""), str):
                raise _not_of_dvc(lock)
            yield str(name), out


def _mapping(lock: Path, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _not_of_dvc(lock)
    return value


def _not_of_dvc(lock: Path) -> StageformerError:
    return StageformerError(f"{lock}: is not as DVC writes it; bring it back with `git checkout {lock.name}`")


def remote_settings(root: Path) -> dict[str, Any]:
    """Return what DVC is told of remotes, in the repository ``root`` or for this user or machine.

    Returns:
        ``core`` with the name of the default ``remote``, if there is one; ``remote`` with the settings of each by name.
    """
    from dvc.config import Config

    settings = Config(str(root / ".dvc"), validate=False)
    return {
        "core": {name: value for name, value in settings["core"].items() if name == "remote"},
        "remote": {name: dict(values) for name, values in settings["remote"].items()},
    }
