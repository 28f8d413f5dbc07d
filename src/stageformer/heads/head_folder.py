"""The folders that a head is loaded from: a repository, or a head that left it with its maker of memory.

A head that left its repository is a folder of ``head.pt``, ``train_encoder/``, ``tokenizer/`` and ``vocab/`` as the
pipeline made them, and ``head.json``.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from stageformer.artifacts.files import atomic_folder, check_new_folder, write_json
from stageformer.artifacts.header import SCHEMA_VERSION, check_header
from stageformer.artifacts.reading import read_json
from stageformer.artifacts.tensors import read_tensors
from stageformer.errors import StageformerError
from stageformer.experiments.missing import how_to_get
from stageformer.heads.files import load_head
from stageformer.kernels.choice import Kernels
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.params.root import find_root, is_root

KIND = "head_folder"
NAME = "head.json"


@dataclass(frozen=True)
class HeadFolder:
    """Where the parts of a head are."""

    head: Path
    encoder: Path
    tokenizers: Path
    vocabularies: Path
    threads: int | None
    """that the parameters allow; None: they say nothing"""
    instruction_set: str
    """as ``compute.instruction_set``"""
    kernels: Kernels
    """as ``compute.kernels``"""
    root: Path | None = None
    """of the repository; None: it was exported"""


def open_head_folder(folder: Path | None) -> HeadFolder:
    """Find the parts of a head.

    Args:
        folder: a repository in which ``heads/dvc.yaml`` has run, or what :func:`export_head` wrote; None: the
            repository that the current folder is in.

    Raises:
        StageformerError: it is neither, or a part is missing.
    """
    if folder is not None and (folder / NAME).is_file():
        header = read_json(folder / NAME)
        if not isinstance(header, dict):
            raise StageformerError(f"{folder / NAME}: found no header of an exported head; export the head again")
        check_header(folder / NAME, header, KIND)
        found = HeadFolder(
            folder / "head.pt", folder / "train_encoder/encoder.pt", folder / "tokenizer", folder / "vocab",
            threads=None, instruction_set="avx2", kernels="fast",
        )  # fmt: skip
        for part in (found.head, found.encoder, found.tokenizers, found.vocabularies):
            if not part.exists():
                raise StageformerError(f"{part}: missing from the exported head; export it again")
        return found
    if folder is not None and not is_root(folder):
        raise StageformerError(f"{folder}: neither a repository of Stageformer nor an exported head (with {NAME})")
    root = find_root(folder)
    if not (root / "data/train_head/head.pt").exists():
        raise StageformerError(
            f"{root / 'data/train_head/head.pt'}: there is no head; make it with `dvc repro heads/dvc.yaml`"
        )
    encoder = "data/train_encoder/encoder.pt"
    if not (root / encoder).exists():
        raise StageformerError(f"{root / encoder}: there is no encoder; {how_to_get(encoder, root)}")
    compute = parse(Compute, read_yaml(root / "params.yaml").get("compute"), "compute")
    return HeadFolder(
        root / "data/train_head/head.pt", root / encoder, root / "data/tokenize/tokenizer", root / "data/vocab",
        threads=compute.threads, instruction_set=compute.instruction_set, kernels=compute.kernels, root=root,
    )  # fmt: skip


def export_head(root: Path, folder: Path) -> list[str]:
    """Write the head of a repository, and all that is between it and text, into a new folder.

    Returns:
        The names of the files.

    Raises:
        StageformerError: the folder is not empty, or a part is missing or damaged.
    """
    check_new_folder(folder)
    found = open_head_folder(root)
    load_head(found.head)
    if read_tensors(found.encoder, "encoder", verify=False).metadata.get("objective") == "service":
        raise StageformerError(
            f"{found.head}: reads the vectors of a service, which is asked only in the repository whose params.yaml "
            "names it; it cannot leave it"
        )
    with atomic_folder(folder, ()) as new:
        shutil.copy(found.head, new / "head.pt")
        shutil.copytree(found.encoder.parent, new / "train_encoder")
        shutil.copytree(found.tokenizers, new / "tokenizer")
        (new / "vocab").mkdir()
        for path in sorted(found.vocabularies.glob("vocabulary*.parquet")):
            shutil.copy(path, new / "vocab" / path.name)
        write_json(new / NAME, {"kind": KIND, "schema_version": SCHEMA_VERSION})
        return sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file())
