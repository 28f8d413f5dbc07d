"""What ``stageformer show PATH`` prints: what an artifact is, what made it from what, its shape and a sample."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stageformer.artifacts.header import MADE_BY, SCHEMA_VERSION
from stageformer.artifacts.reading import read_json
from stageformer.console.output import clean
from stageformer.errors import StageformerError
from stageformer.provenance.code import FOLDER as MANIFESTS
from stageformer.terminal.show_tables import show_table, table_line
from stageformer.terminal.text import columns, flat_fields, labelled


def show(
    path: Path,
    *,
    rows: int = 5,
    sentence: int | None = None,
    width: int | None = None,
    lock: Mapping[str, Any] | None = None,
    root: Path = Path(),
) -> str:
    """Describe an artifact or a folder of them.

    Args:
        path: a table, a tensor file, a JSON file, or a folder.
        rows: number of sentences or entries in the sample.
        sentence: id of the one sentence to show instead.
        width: of the terminal, in cells; that of this terminal if None.
        lock: what ``dvc.lock`` holds, for the provenance.
        root: the folder of ``dvc.lock``.

    Raises:
        StageformerError: there is nothing at ``path``, it is damaged, or the sentence is not in it.
    """
    width = width or shutil.get_terminal_size().columns
    if not path.exists():
        raise StageformerError(f"{path}: no such file or folder")
    is_memory = path.is_dir() and any(path.glob("memory-*.pt"))
    if sentence is not None and not is_memory and path.suffix != ".parquet":
        raise StageformerError(f"{path}: --id {sentence} needs a table of sentences or a folder of memory")
    if is_memory:
        from stageformer.terminal.show_tensors import (
            show_memory,  # Imports torch, which costs a second: tables do without.
        )

        kind, facts, sample = show_memory(path, rows, sentence, width)
    elif path.is_dir():
        kind, facts, sample = "folder", [], _show_folder(path)
    elif path.suffix == ".parquet":
        kind, facts, sample = show_table(path, rows, sentence, width)
    elif path.suffix == ".pt":
        from stageformer.terminal.show_tensors import show_tensor_file

        kind, facts, sample = show_tensor_file(path, width)
    elif path.suffix == ".json":
        kind, facts = "JSON", []
        sample = labelled(flat_fields(read_json(path)), width)
    else:
        kind, facts, sample = "file", [], []
    if kind in MADE_BY:
        facts = [("made by", MADE_BY[kind]), ("schema", f"version {SCHEMA_VERSION}"), *facts]
    facts.append(("on disk", human_size(size_on_disk(path))))
    lines = [f"{clean(str(path))}: {kind}", *labelled(facts, width)]
    provenance = _provenance(path, lock or {}, root, width)
    return "\n".join([*lines, *provenance, *(["", *sample] if sample else [])])


def size_on_disk(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder."""
    files = (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def human_size(size: int) -> str:
    """Return a number of bytes in the largest unit that leaves at least 1."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def _show_folder(folder: Path) -> list[str]:
    """One line for each thing in the folder; a damaged one does not keep the others from being listed."""
    lines = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            what = _one_line(path)
        except StageformerError as error:
            what = f"damaged: {error}"
        lines.append((path.name + "/" * path.is_dir(), human_size(size_on_disk(path)), what))
    return columns(lines, right=(1,))


def _one_line(path: Path) -> str:
    if path.suffix == ".parquet":
        return table_line(path)
    if path.suffix == ".pt":
        from stageformer.terminal.show_tensors import tensor_line

        return tensor_line(path)
    if path.is_dir() and any(path.glob("memory-*.pt")):
        from stageformer.terminal.show_tensors import memory_line

        return memory_line(path)
    return f"{sum(file.is_file() for file in path.rglob('*'))} files" if path.is_dir() else ""


def _provenance(path: Path, lock: Mapping[str, Any], root: Path, width: int) -> list[str]:
    """The lines on the stage that wrote ``path``, if ``dvc.lock`` knows it."""
    found = locked_stage(path, lock, root)
    if found is None:
        return []
    name, stage, out = found
    deps = stage.get("deps") or []
    code = [dep for dep in deps if dep["path"].startswith(f"{MANIFESTS}/")]
    inputs = ", ".join(f"{dep['path']} {_short(dep)}" for dep in deps if dep not in code)
    params = {key: value for group in (stage.get("params") or {}).values() for key, value in group.items()}
    fields = [
        ("stage", name),
        ("command", " ".join(str(stage.get("cmd", "")).split())),
        ("inputs", inputs or "none"),
        ("code", ", ".join(f"{dep['path']} {_short(dep)}" for dep in code) or "see inputs"),
        ("output", f"{out['path']} {_short(out)}"),
        *((f"  {key}", value) for key, value in flat_fields(params)),
    ]
    fields.insert(5, ("params", "" if params else "none"))
    return ["", "In dvc.lock (md5 shortened):", *labelled(fields, width)]


def locked_stage(
    path: Path, lock: Mapping[str, Any], root: Path
) -> tuple[str, Mapping[str, Any], Mapping[str, Any]] | None:
    """Return the stage that wrote ``path`` by its name, its entry in ``dvc.lock``, and that of the output; or None."""
    place = path.resolve()
    for name, stage in (lock.get("stages") or {}).items():
        for out in stage.get("outs") or []:
            if place.is_relative_to((root / out["path"]).resolve()):
                return name, stage, out
    return None


def _short(entry: Mapping[str, Any]) -> str:
    return str(entry.get("md5", "unknown"))[:8]
