"""The artifact of a head: weights, shape and labels, and which maker's memory it reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stageformer.artifacts.fields import check_fields
from stageformer.artifacts.files import first_line
from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.tensors import check_finite, read_tensors, write_tensors
from stageformer.building.weights import load_weights, weights_of
from stageformer.errors import StageformerError
from stageformer.heads.model import Head, HeadConfig
from stageformer.memory.store import DTYPES, MemoryStore

KIND = "head"


@dataclass(frozen=True)
class SavedHead:
    """A trained head with all that is needed to use it."""

    model: Head
    """in eval mode"""
    labels: list[str]
    """``[C]``"""
    kind: str
    """``ingest.labels``"""
    threshold: float
    """``head.threshold``"""
    fingerprint: str
    """of the maker of the memory"""
    dtype: str
    """of the memory that it learned from"""
    layers: list[int]
    """the layers that the memory keeps side by side; none: the maker's output alone"""


def save_head(
    path: Path, model: Head, labels: Sequence[str], kind: str, threshold: float, store: MemoryStore, layers: list[int]
) -> None:
    """Write a head. Raises StageformerError when the disk is full."""
    tensors = {**weights_of(model), "mean": model.mean, "scale": model.scale}
    metadata = {
        "config": dataclasses.asdict(model.config),
        "labels": list(labels),
        "label_kind": kind,
        "threshold": threshold,
        "memory": {"fingerprint": store.fingerprint, "dtype": store.dtype, "layers": layers},
    }
    write_tensors(path, KIND, tensors, metadata)


def load_head(path: Path) -> SavedHead:
    """Read a head.

    Raises:
        StageformerError: the file is missing, damaged or of another kind, or its parts do not fit together.
    """
    file = read_tensors(path, KIND)
    check_finite(path, KIND, file.tensors)
    try:
        metadata = file.metadata
        check_fields(HeadConfig, metadata["config"], "config")
        config = HeadConfig(**metadata["config"])
        labels, memory = metadata["labels"], metadata["memory"]
        kept = memory["layers"]
        if not isinstance(labels, list) or len(set(labels)) != config.num_labels or not _are(str, labels):
            raise ValueError("labels")
        if metadata["label_kind"] not in ("one", "several", "tags") or memory["dtype"] not in DTYPES:
            raise ValueError("label_kind or dtype")
        if not isinstance(memory["fingerprint"], str) or not isinstance(kept, list) or not _are(int, kept):
            raise ValueError("memory")
        if (metadata["label_kind"] == "tags") != (config.pooling == "none"):
            raise ValueError("pooling")
        weights = dict(file.tensors)
        mean, scale = weights.pop("mean"), weights.pop("scale")
        if mean.shape != (config.read_width,) or scale.shape != mean.shape or not bool((scale > 0).all()):
            raise ValueError("mean or scale")
        if sum(weight.numel() for weight in weights.values()) < config.read_width:
            raise ValueError("fewer weights than features")
        model = Head(config, mean.clone(), scale.clone())
        load_weights(model, weights)
        threshold = float(metadata["threshold"])
    except (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = f"its parts do not fit together ({first_line(error)})"
        raise StageformerError(f"{path}: {reason}{rerun_hint(KIND)}") from None
    return SavedHead(
        model.eval(), labels, metadata["label_kind"], threshold, memory["fingerprint"], memory["dtype"], kept
    )


def _are(kind: type, values: list[object]) -> bool:
    return all(type(value) is kind for value in values)


def check_memory(path: Path, saved: SavedHead, store: MemoryStore) -> None:
    """Raise StageformerError unless a memory is of the maker that the head at ``path`` learned from."""
    if store.fingerprint != saved.fingerprint or store.width != saved.model.config.width:
        raise StageformerError(
            f"{store.folder}: holds memory of the maker {store.fingerprint[:8]} and width {store.width}, but {path} "
            f"learned from that of {saved.fingerprint[:8]} and width {saved.model.config.width}{rerun_hint(KIND)}"
        )
