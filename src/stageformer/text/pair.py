"""The tokenizers of the two sides of a corpus, and the folder that holds them.

The folder has a ``config.json`` (the family and the form of each side, target null where one tokenizer serves both
sides) and, for a family that learns, ``shared/``, or ``source/`` and ``target/``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeGuard

from stageformer.artifacts.files import atomic_folder, write_json
from stageformer.artifacts.header import SCHEMA_VERSION
from stageformer.artifacts.made_with import Parts, fingerprint
from stageformer.artifacts.reading import read_json
from stageformer.console.output import warn
from stageformer.errors import StageformerError
from stageformer.params.choices import chosen, implementation
from stageformer.text.form import Form
from stageformer.text.tokenizers.base import Tokenizer

CONFIG_NAME = "config.json"
_REMEDY = "make it again with `dvc repro --force tokenize`"


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
    parts: Parts = field(default_factory=dict)
    """the two as one part that others are made with; of tokenizers that are in no folder yet, none"""

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


def train_tokenizers(source: Iterable[str], target: Iterable[str], options: Any, target_options: Any) -> Tokenizers:
    """Train one tokenizer for each side, or one on both.

    Args:
        source: sentences of the source side; may be iterated more than once.
        target: sentences of the target side; may be iterated more than once.
        options: the parameters of the tokenizer of the source side, a class of ``params/tokenize.py``.
        target_options: those of the target side; None: that of the source serves both, and learns from both.

    Raises:
        StageformerError: an unknown kind, or no text to learn from.
    """
    for side, sentences in (("source", source), ("target", target)):
        if side == "target" and target_options is None:
            continue  # a corpus of one side alone has no targets
        if not any(sentences):
            raise StageformerError(f"the {side} side of the training split holds no text; check what `ingest` kept")
    if target_options is None:
        shared = tokenizer_class(options.kind).train(_Chained(source, target), options)
        return Tokenizers(shared, shared, joint=True)
    families = tokenizer_class(options.kind), tokenizer_class(target_options.kind)
    return Tokenizers(families[0].train(source, options), families[1].train(target, target_options), joint=False)


def save_tokenizers(tokenizers: Tokenizers, folder: Path) -> Tokenizers:
    """Write both tokenizers into ``folder``, which appears when it is whole and holds nothing else.

    Returns:
        The same tokenizers, which know their fingerprint.

    Raises:
        StageformerError: as :func:`~stageformer.artifacts.files.atomic_folder`.
    """
    config = {
        "source": _described(tokenizers.source),
        "target": None if tokenizers.joint else _described(tokenizers.target),
        "schema_version": SCHEMA_VERSION,
    }
    with atomic_folder(folder, (CONFIG_NAME, "shared", "source", "target")) as new:
        for name, tokenizer in tokenizers.by_folder.items():
            tokenizer.save(new / name)
            tokenizer.form.save(new / name)
        write_json(new / CONFIG_NAME, config)
    return _in_folder(tokenizers, folder)


def is_of_a_run(folder: Path) -> bool:
    """Return whether the stage ``tokenize`` wrote this folder."""
    path = folder / CONFIG_NAME
    return path.is_file() and _is_config(read_json(path))


def _is_config(content: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(content, dict) and {"source", "target", "schema_version"} <= content.keys()


def load_tokenizers(folder: Path) -> Tokenizers:
    """Read the tokenizers that the stage ``tokenize`` wrote.

    Raises:
        StageformerError: the folder or a file in it is missing, damaged or of another version.
    """
    path = folder / CONFIG_NAME
    config = read_json(path)
    if not _is_config(config):
        raise StageformerError(f"{path}: needs 'source', 'target' and 'schema_version'; {_REMEDY}")
    if config["schema_version"] != SCHEMA_VERSION:
        raise StageformerError(
            f"{path}: found schema version {config['schema_version']}, needed {SCHEMA_VERSION}; {_REMEDY}"
        )
    if config["target"] is None:
        shared = _load(folder / "shared", path, "source", config["source"])
        return _in_folder(Tokenizers(shared, shared, joint=True), folder)
    source, target = (_load(folder / side, path, side, config[side]) for side in ("source", "target"))
    return _in_folder(Tokenizers(source, target, joint=False), folder)


def _described(tokenizer: Tokenizer) -> dict[str, Any]:
    return _form(tokenizer) | {"versions": tokenizer.versions}


def _form(tokenizer: Tokenizer) -> dict[str, Any]:
    return {"kind": tokenizer.kind, **tokenizer.form.names}


def _load(folder: Path, path: Path, side: str, config: object) -> Tokenizer:
    """Read the tokenizer in ``folder``, which ``config`` of the file ``path`` describes."""
    for key in ("kind", *Form().names):
        if not isinstance(config, dict) or not isinstance(config.get(key), str):
            raise StageformerError(f"{path}: {side} needs {key!r} of type str; {_REMEDY}")
    assert isinstance(config, dict)
    try:
        family = tokenizer_class(config["kind"])
    except StageformerError as error:
        raise StageformerError(f"{path}: {error}; {_REMEDY}") from None
    form = Form.load(folder, **{name: config[name] for name in Form().names})
    tokenizer = family.load(folder, form)
    before, here = config.get("versions"), tokenizer.versions
    for name, now in here.items():
        then = before.get(name) if isinstance(before, dict) else None
        if then != now:
            warn(f"{path}: the texts of the {side} were cut by {name} {then}; this is {now}, which may cut differently")
    return tokenizer


def _in_folder(tokenizers: Tokenizers, folder: Path) -> Tokenizers:
    """Return the tokenizers that ``folder`` holds with their fingerprint: of all that decides how text is cut."""
    content = {
        name: _form(tokenizer)
        | {file: _content(folder / name / file) for file in (*tokenizer.files, *tokenizer.form.files)}
        for name, tokenizer in tokenizers.by_folder.items()
    }
    return replace(tokenizers, parts={"tokenizer": (fingerprint(content), folder)})


def _content(path: Path) -> Any:
    """Return the content of a file: of JSON the values, without the version of the format, of others the bytes."""
    content = path.read_bytes()
    if path.suffix != ".json":
        return content.hex()
    values = json.loads(content)
    return {name: value for name, value in values.items() if name != "version"}
