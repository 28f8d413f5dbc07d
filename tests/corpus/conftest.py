from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stageformer.params.base import parse
from stageformer.params.ingest import Ingest

DEFAULTS: dict[str, Any] = {
    "source": "homeassistant",
    "source_language": "en",
    "target_language": "de",
    "labels": "none",
    "brown": {"version": "1.0.0", "sha256": "0" * 64},
    "cmudict": {"version": "1.0", "sha256": "0" * 64, "stress": False},
    "datasets": {"path": None, "config": None, "revision": None, "train": "train", "valid": None, "test": None},
    "homeassistant": {"version": "1.0", "sha256": "0" * 64},
    "letters": {"strings": 50, "max_length": 6, "alphabet": 5, "seed": 1},
    "files": {
        "train": [],
        "valid": [],
        "test": [],
        "tags": [],
        "weights": [],
        "header": False,
        "source_column": "1",
        "target_column": "2",
        "label_column": None,
        "group_column": None,
    },
    "require_letters": True,
    "drop_duplicates": True,
    "min_kept": 0.1,
    "max_characters": 100,
    "max_length_ratio": 3.0,
    "max_repeats": None,
    "language_identifier": "none",
    "min_language_probability": 0.5,
    "drop_equal": True,
    "on_bad_line": "error",
    "merge_references": True,
    "valid_fraction": 0.2,
    "test_fraction": 0.2,
    "seed": 1,
}


@pytest.fixture(scope="session")
def make_params() -> Callable[..., Ingest]:
    """Typed parameters: the defaults above with some changed; the groups in them are merged."""

    def make(**changes: Any) -> Ingest:
        values = {**DEFAULTS, **changes}
        for group in ("files", "brown", "cmudict", "datasets", "homeassistant", "letters"):
            values[group] = {**DEFAULTS[group], **changes.get(group, {})}
        return parse(Ingest, values, "ingest")

    return make


@pytest.fixture
def make_wheel(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """A wheel named homeassistant 1.0 with the given files, that pip accepts."""

    def make(files: dict[str, str]) -> Path:
        path = tmp_path / "wheels" / "homeassistant-1.0-py3-none-any.whl"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            info = "homeassistant-1.0.dist-info"
            archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: homeassistant\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return path

    return make
