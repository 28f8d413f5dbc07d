"""What ``stageformer show PATH --json`` prints: the facts and the sample of an artifact as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stageformer.artifacts.header import MADE_BY
from stageformer.artifacts.reading import read_json
from stageformer.artifacts.tables import describe_table, open_table
from stageformer.errors import StageformerError
from stageformer.terminal.show import locked_stage, size_on_disk
from stageformer.terminal.show_tables import sample_of_table


def show_json(
    path: Path, *, rows: int, sentence: int | None, lock: Mapping[str, Any] | None, root: Path
) -> dict[str, Any]:
    """Describe an artifact or a folder of them; the arguments are those of :func:`stageformer.terminal.show.show`.

    Returns:
        ``path``, ``kind``, ``made_by`` (a stage or None), ``bytes``, ``stage`` (its entry in ``dvc.lock`` or None), and
        what belongs to the kind.

    Raises:
        StageformerError: there is nothing at ``path``, it is damaged, or the sentence is not in it.
    """
    if not path.exists():
        raise StageformerError(f"{path}: no such file or folder")
    is_memory = path.is_dir() and any(path.glob("memory-*.pt"))
    if sentence is not None and not is_memory and path.suffix != ".parquet":
        raise StageformerError(f"{path}: --id {sentence} needs a table of sentences or a folder of memory")
    if is_memory:
        kind, content = "memory", _memory(path, rows, sentence)
    elif path.is_dir():
        names = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        content = {"entries": [{"name": entry.name, "bytes": size_on_disk(entry)} for entry in names]}
        kind = "folder"
    elif path.suffix == ".parquet":
        kind, content = _table(path, rows, sentence)
    elif path.suffix == ".pt":
        kind, content = _tensors(path)
    elif path.suffix == ".json":
        kind, content = "JSON", {"content": read_json(path)}
    else:
        kind, content = "file", {}
    found = locked_stage(path, lock or {}, root)
    return {
        "path": str(path),
        "kind": kind,
        "made_by": MADE_BY.get(kind),
        "bytes": size_on_disk(path),
        "stage": None if found is None else {"name": found[0], **found[1]},
        **content,
    }


def _table(path: Path, rows: int, sentence: int | None) -> tuple[str, dict[str, Any]]:
    file = open_table(path)
    kind = describe_table(file)["kind"]
    if kind == "vocabulary" and sentence is not None:
        raise StageformerError(f"{path}: a vocabulary has no sentences; leave out --id")
    return kind, {
        "rows": file.metadata.num_rows,
        "columns": {field.name: str(field.type) for field in file.schema_arrow},
        "sample": sample_of_table(path, kind, rows, sentence),
    }


def _tensors(path: Path) -> tuple[str, dict[str, Any]]:
    from stageformer.artifacts.tensors import read_tensors
    from stageformer.terminal.show_tensors import statistics

    found = read_tensors(path)
    tensors = {
        name: {"shape": list(tensor.shape), "type": str(tensor.dtype).removeprefix("torch."), **statistics(tensor)}
        for name, tensor in found.tensors.items()
    }
    return found.kind, {"metadata": dict(found.metadata), "tensors": tensors}


def _memory(folder: Path, rows: int, sentence: int | None) -> dict[str, Any]:
    import numpy as np

    from stageformer.memory.store import MemoryStore
    from stageformer.terminal.show_tensors import statistics

    store = MemoryStore(folder)
    shown = np.arange(min(rows, len(store))) if sentence is None else store.rows_of(np.array([sentence]))
    sample = [
        {
            "id": int(store.ids[row]),
            "shape": [int(store.lengths[row]), store.width],
            **statistics(store.batch(np.array([row]))[0][0]),
        }
        for row in shown
    ]
    return {
        "sentences": len(store),
        "tokens": int(store.lengths.sum()),
        "longest": int(store.lengths.max(initial=0)),
        "width": store.width,
        "type": str(store.dtype),
        "encoder": store.fingerprint,
        "sample": sample,
    }
