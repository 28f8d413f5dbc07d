"""What an artifact was made with, so that artifacts that do not belong together are refused.

The ids of a sentence mean something by one vocabulary only, and its tokens by one tokenizer. So every artifact whose
content depends on these keeps their fingerprints in its header (``made_with``), and whoever uses them together
compares. A fingerprint is of content alone: the names and the dates of files, and how JSON is laid out, change none.
An artifact without a fingerprint, such as one of an older version, is accepted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError

Parts = Mapping[str, tuple[str, Path]]
"""Artifacts at hand: the fingerprint of each and where it is from, by what it is: tokenizer, source vocabulary ..."""


def fingerprint(content: Any) -> str:
    """Return the fingerprint of plain content (str, int, float, bool, None, and lists and dicts of them)."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def made_with(parts: Parts) -> dict[str, str]:
    """Return what an artifact that is made with these parts keeps in its header: fingerprints by part."""
    return {name: found for name, (found, _) in parts.items()}


def check_made_with(path: Path, header: Mapping[str, Any], parts: Parts) -> None:
    """Check that an artifact belongs to others that it is used with.

    Args:
        path: of the artifact.
        header: of the artifact; ``made_with`` in it holds fingerprints.
        parts: the others.

    Raises:
        StageformerError: it was made with another one; the message names both files.
    """
    kept = header.get("made_with")
    if not isinstance(kept, Mapping):
        return
    for name, (found, other) in parts.items():
        if name in kept and kept[name] != found:
            raise StageformerError(
                f"{path}: was made with another {name} than that of {other}; they do not belong together: make them "
                "again with `dvc repro`, or export the model again"
            )
