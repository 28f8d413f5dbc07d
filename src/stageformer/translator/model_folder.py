"""The folders that a translator is loaded from: a repository in which the pipeline has run, or an exported model.

An exported model is the folder that ``stageformer export`` writes. In it, or beside the other formats, the folder
``stageformer/`` holds ``model.pt``, ``tokenizer/`` and ``vocabulary*.parquet`` as the pipeline made them, and
``translator.json`` with the parameters of the search.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.header import SCHEMA_VERSION, check_header
from stageformer.artifacts.reading import read_json
from stageformer.errors import StageformerError
from stageformer.experiments.missing import how_to_get
from stageformer.kernels.choice import Kernels
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.params.root import find_root, is_root
from stageformer.params.translate import Translate

KIND = "translator"
NAME = "translator.json"
MODEL = "data/train_decoder/model.pt"
FORMAT = "stageformer"
"""The name of the folder beside those of other engines."""


@dataclass(frozen=True)
class ModelFolder:
    """Where the parts of a translator are, and what belongs to it that is in no file of its own."""

    model: Path
    tokenizers: Path
    vocabularies: Path
    exports: Path
    """holds a folder for each engine of others"""
    params: Translate
    threads: int | None
    """that the parameters allow; None: they say nothing"""
    instruction_set: str
    """as ``compute.instruction_set``"""
    kernels: Kernels
    """as ``compute.kernels``"""
    root: Path | None
    """of the repository; None: it was exported, and no pipeline here can make it again"""

    def advice(self) -> contextlib.AbstractContextManager[None]:
        """Return what loading the parts is to be done in: no pipeline made those of an exported model here."""
        return _fetched() if self.root is None else contextlib.nullcontext()


def open_model_folder(folder: Path | None) -> ModelFolder:
    """Find the parts of a translator.

    Args:
        folder: the root of a repository in which the pipeline has run, or a folder that ``stageformer export`` wrote;
            None: the repository that the current folder is in.

    Raises:
        StageformerError: it is neither, the pipeline has not run yet, or a part is missing.
    """
    if folder is not None:
        for exported in (folder / FORMAT, folder):
            if (exported / NAME).is_file():
                return _exported(exported)
        if not folder.is_dir():
            raise StageformerError(f"{folder}: no such folder")
        if not is_root(folder):
            raise StageformerError(
                f"{folder}: neither a repository of Stageformer nor a model that `stageformer export` wrote (with "
                f"{FORMAT}/{NAME})"
            )
    return _repository(find_root(folder))


def save_model_folder(folder: Path, *, model: Path, tokenizers: Path, vocabularies: Path, params: Translate) -> None:
    """Write the parts of a translator, as the pipeline made them, into a folder. The same parts give the same bytes.

    Args:
        folder: created
        model: the file of the stage train_decoder
        tokenizers: the folder of the tokenizers
        vocabularies: the folder of the stage vocab
        params: of the search
    """
    files = {"model.pt": model}
    files |= {path.name: path for path in sorted(vocabularies.glob("vocabulary*.parquet"))}
    files |= {
        f"tokenizer/{path.relative_to(tokenizers).as_posix()}": path
        for path in sorted(tokenizers.rglob("*"))
        if path.is_file()
    }
    for name, path in files.items():
        with path.open("rb") as original, atomic_file(folder / name) as copy:
            shutil.copyfileobj(original, copy)
    search = params.model_dump()
    write_json(folder / NAME, {"kind": KIND, "schema_version": SCHEMA_VERSION, "translate": search})


_MAKING = re.compile(r"[;:] (?:run|make)\b[^;:]*$")
"""The end of a message that advises to make a file again."""


@contextlib.contextmanager
def _fetched() -> Iterator[None]:
    """Advise, in a message of the block, to get an exported model again, since there is nothing to make it with."""
    try:
        yield
    except StageformerError as error:
        raise StageformerError(f"{_MAKING.sub('', str(error))}; copy or fetch the folder of the model again") from None


@_fetched()
def _exported(folder: Path) -> ModelFolder:
    path = folder / NAME
    header = read_json(path)
    if not isinstance(header, dict):
        raise StageformerError(f"{path}: found no header of an exported model")
    check_header(path, header, KIND)
    model, tokenizers = folder / "model.pt", folder / "tokenizer"
    for part in (model, tokenizers):
        if not part.exists():
            raise StageformerError(f"{part}: missing from the exported model")
    params = parse(Translate, header.get("translate"), "translate")
    return ModelFolder(
        model, tokenizers, vocabularies=folder, exports=folder.parent, params=params, threads=None,
        instruction_set="avx2",  # the same translations on every machine
        root=None,
        kernels="fast",
    )  # fmt: skip


def _repository(root: Path) -> ModelFolder:
    model = root / MODEL
    if not model.exists():
        raise StageformerError(f"{model}: there is no model; {how_to_get(MODEL, root)}")
    values = read_yaml(root / "params.yaml")
    compute = parse(Compute, values.get("compute"), "compute")
    return ModelFolder(
        model=model,
        tokenizers=root / "data/tokenize/tokenizer",
        vocabularies=root / "data/vocab",
        exports=root / "data/export",
        params=parse(Translate, values.get("translate"), "translate"),
        threads=compute.threads,
        instruction_set=compute.instruction_set,
        root=root,
        kernels=compute.kernels,
    )
