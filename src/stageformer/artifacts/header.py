"""What every artifact states about itself: its kind and the version of its schema.

A reader that finds another kind or version reports what it found, what it needs and which stage makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError

SCHEMA_VERSION = 1
SPLITS = ("train", "valid", "test")

MADE_BY = {
    "sentences": "ingest",
    "labels": "ingest",
    "tokens": "tokenize",
    "ids": "vocab",
    "vocabulary": "vocab",
    "embedding": "embed",
    "positions": "embed",
    "lookup": "embed",
    "answers": "embed",
    "encoder": "train_encoder",
    "memory": "encode",
    "empty_memory": "encode",
    "model": "train_decoder",
    "hypotheses": "translate",
    "translations": "evaluate",
    "head": "heads/dvc.yaml:train_head",
    "predictions": "heads/dvc.yaml:evaluate_head",
}
"""The stage that makes each kind of artifact, for messages."""


def rerun_hint(kind: str) -> str:
    """Return how to fix a bad artifact of this kind: the end of a message about it."""
    stage = MADE_BY.get(kind)
    return f"; make it again with `dvc repro --force {stage}`" if stage else ""


def damage_hint(kind: str) -> str:
    """Return how to replace a damaged artifact of this kind: DVC would bring a damaged entry of its cache back."""
    return f"; run `stageformer heal`, which removes it from DVC's cache{rerun_hint(kind).replace('; ', ', then ')}"


def check_header(path: Path, found: Mapping[str, Any], kind: str | None) -> None:
    """Raise StageformerError unless the header ``found`` in ``path`` is of this kind (any, if None) and version."""
    hint = rerun_hint(kind or "")
    found_kind = found.get("kind")
    needed = f"kind {kind!r}" if kind else "an artifact of Stageformer"
    if not isinstance(found_kind, str):
        raise StageformerError(f"{path}: found a file that Stageformer did not write, needed {needed}{hint}")
    if kind and found_kind != kind:
        raise StageformerError(f"{path}: found an artifact of kind {found_kind!r}, needed {needed}{hint}")
    if found.get("schema_version") != SCHEMA_VERSION:
        raise StageformerError(
            f"{path}: found schema version {found.get('schema_version')}, needed {SCHEMA_VERSION}{hint}"
        )
