"""A fingerprint of everything that a training's result depends on: a checkpoint is used for no other."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from stageformer.params.base import Params

OWN_PACKAGES = ("stageformer", "stages")


def training_fingerprint(parameters: Iterable[Params], inputs: Iterable[Path]) -> str:
    """Return a hash of parameters, input files, our code as loaded now, and the libraries that compute.

    Args:
        parameters: groups of ``params.yaml``.
        inputs: files, and folders with all that is in them.
    """
    digest = hashlib.sha256()
    for values in parameters:
        digest.update(values.model_dump_json().encode())
    for path in inputs:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(file.relative_to(path.parent).as_posix().encode())
                digest.update(_content(file))
    for name in sorted(sys.modules):
        source = getattr(sys.modules[name], "__file__", None)
        if name.partition(".")[0] in OWN_PACKAGES and source:
            digest.update(name.encode() + Path(source).read_bytes())
    processes = os.environ.get("WORLD_SIZE", "1")
    digest.update(f"{processes} {torch.__version__} {np.__version__}".encode())
    return digest.hexdigest()


def _content(file: Path) -> bytes:
    """Return what identifies the content of a file: of a ``.pt``, which may be large, the checksums inside it."""
    if file.suffix == ".pt":
        with zipfile.ZipFile(file) as archive:
            entries = [(entry.filename, entry.file_size, entry.CRC) for entry in archive.infolist()]
        return json.dumps(entries).encode()
    return hashlib.sha256(file.read_bytes()).digest()
