"""The tokenizers of the two sides of a corpus, and the folder that holds them.

The folder has a ``config.json`` (kind, lowercase, joint, schema version) and, for a family that learns, ``shared/``
where one tokenizer serves both sides, else ``source/`` and ``target/``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from stageformer.artifacts.files import atomic_folder, read_json, write_json
from stageformer.artifacts.header import SCHEMA_VERSION
from stageformer.errors import StageformerError
from stageformer.params.choices import chosen, implementation
from stageformer.text.tokenizers.base import Options, Tokenizer

CONFIG_NAME = "config.json"
_TYPES = {"kind": str, "lowercase": bool, "joint": bool, "schema_version": int}


def tokenizer_class(kind: str) -> type[Tokenizer]:
    """Import the family of that name and return its class. Raises StageformerError when there is none."""
    family: type[Tokenizer] = implementation(chosen("stageformer.text.tokenizers", kind), Tokenizer)
    return family


@dataclass(frozen=True)
class Tokenizers:
    """The tokenizers of the source side and of the target side: one and the same object where they are joint."""

    source: Tokenizer
    target: Tokenizer
    joint: bool

    @property
    def by_folder(self) -> dict[str, Tokenizer]:
        """The distinct tokenizers by the names of their folders."""
        return {"shared": self.source} if self.joint else {"source": self.source, "target": self.target}


class _Chained:
    """Two sets of sentences as one that can be iterated again and again, as training needs it."""

    def __init__(self, *parts: Iterable[str]) -> None:
        self._parts = parts

    def __iter__(self) -> chain[str]:
        return chain(*self._parts)


def train_tokenizers(
    kind: str,
    source: Iterable[str],
    target: Iterable[str],
    *,
    options: Options,
    joint: bool,
) -> Tokenizers:
    """Train one tokenizer on both sides (``joint``) or one on each.

    Args:
        kind: the family: a module of :mod:`stageformer.text.tokenizers`.
        source: sentences of the source side; may be iterated more than once.
        target: sentences of the target side; may be iterated more than once.
        options: the options of each tokenizer.
        joint: one tokenizer for both sides.

    Raises:
        StageformerError: an unknown kind, or no text to learn from.
    """
    family = tokenizer_class(kind)
    for side, sentences in (("source", source), ("target", target)):
        if not any(sentences):
            raise StageformerError(f"the {side} side of the training split holds no text; check what `ingest` kept")
    if joint:
        shared = family.train(_Chained(source, target), options)
        return Tokenizers(shared, shared, joint=True)
    return Tokenizers(family.train(source, options), family.train(target, options), joint=False)


def save_tokenizers(tokenizers: Tokenizers, folder: Path) -> None:
    """Write both tokenizers into ``folder``, which appears when it is whole and holds nothing else.

    Raises:
        StageformerError: as :func:`~stageformer.artifacts.files.atomic_folder`.
    """
    config = {
        "kind": tokenizers.source.kind,
        "lowercase": tokenizers.source.lowercase,
        "joint": tokenizers.joint,
        "schema_version": SCHEMA_VERSION,
    }
    with atomic_folder(folder, (CONFIG_NAME, "shared", "source", "target")) as new:
        for name, tokenizer in tokenizers.by_folder.items():
            tokenizer.save(new / name)
        write_json(new / CONFIG_NAME, config)


def load_tokenizers(folder: Path) -> Tokenizers:
    """Read the tokenizers that the stage ``tokenize`` wrote.

    Raises:
        StageformerError: the folder or a file in it is missing, damaged or of another version.
    """
    path = folder / CONFIG_NAME
    config = read_json(path)
    remedy = "make it again with `dvc repro --force tokenize`"
    for key, kind in _TYPES.items():
        if not isinstance(config, dict) or type(config.get(key)) is not kind:
            raise StageformerError(f"{path}: needs {key!r} of type {kind.__name__}; {remedy}")
    if config["schema_version"] != SCHEMA_VERSION:
        raise StageformerError(
            f"{path}: found schema version {config['schema_version']}, needed {SCHEMA_VERSION}; {remedy}"
        )
    try:
        family = tokenizer_class(config["kind"])
    except StageformerError as error:
        raise StageformerError(f"{path}: {error}; {remedy}") from None
    if config["joint"]:
        shared = family.load(folder / "shared", config["lowercase"])
        return Tokenizers(shared, shared, joint=True)
    lowercase = config["lowercase"]
    return Tokenizers(family.load(folder / "source", lowercase), family.load(folder / "target", lowercase), joint=False)
