"""What a model card says, as plain values: ``data/export/card.json``, which the stage writes and the command reads."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stageformer.artifacts.files import read_json
from stageformer.artifacts.header import SCHEMA_VERSION
from stageformer.building.weights import weights_of
from stageformer.errors import StageformerError
from stageformer.model.transformer import Transformer
from stageformer.params.export import Export
from stageformer.params.ingest import Ingest
from stageformer.params.translate import Translate

NAME = "card.json"
CORPUS_LICENSES = {"homeassistant": "apache-2.0"}
"""Licences of the corpora that `ingest` fetches by itself."""

_SEARCH = ("beam_size", "length_penalty", "max_length_ratio", "max_length_offset")


def facts(
    *,
    export: Export,
    ingest: Ingest,
    translate: Translate,
    model: Transformer,
    tokenizer: str,
    scores: Mapping[str, Any],
    formats: Mapping[str, Any],
    inputs: Iterable[Path],
) -> dict[str, Any]:
    """Collect what the card says.

    There is no commit in it, and no time: the outputs of a stage must follow from its inputs. The command
    ``stageformer export`` adds the commit to the copy that it makes.

    Args:
        export: parameters
        ingest: parameters
        translate: parameters, of the search that was scored
        model: the model
        tokenizer: its family
        scores: content of ``reports/evaluate/metrics.json``
        formats: the metrics of each exported format
        inputs: the files that the model and its vocabulary stand in, relative to the root
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "source_language": ingest.source_language,
        "target_language": ingest.target_language,
        "license": export.license,
        "data": _data(ingest),
        "data_license": export.data_license or CORPUS_LICENSES.get(ingest.source),
        "model": {
            **dataclasses.asdict(model.config),
            "weights": sum(weight.numel() for weight in weights_of(model).values()),
        },
        "tokenizer": tokenizer,
        "search": {name: getattr(translate, name) for name in _SEARCH},
        "scores": dict(scores),
        "formats": dict(formats),
        "inputs": {path.as_posix(): md5(path) for path in inputs},
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """Read the facts of an export. Raises StageformerError when there is none, or one of another version."""
    path = folder / NAME
    if not path.exists():
        raise StageformerError(f"{path}: there is no export yet; make it with `dvc repro`")
    found = read_json(path)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise StageformerError(
            f"{path}: found schema version {version}, needed {SCHEMA_VERSION}; make it again with "
            "`dvc repro --force export`"
        )
    facts: dict[str, Any] = found
    return facts


def md5(path: Path) -> str:
    """Return the hash of a file's content by which DVC knows it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _data(ingest: Ingest) -> str:
    if ingest.source == "homeassistant":
        return f"user-interface strings of Home Assistant {ingest.homeassistant.version} (PyPI: homeassistant)"
    # Names alone: where files lie is nobody else's business.
    names = ", ".join(Path(name).name for name in ingest.files.train)
    return f"own files ({ingest.source}): {names}"
