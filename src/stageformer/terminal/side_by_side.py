"""One sentence under several tokenizers, side by side, without a run of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from stageformer.console.output import clean
from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.choices import kinds
from stageformer.params.tokenize import Cut, Given, Pretrained
from stageformer.terminal.text import columns
from stageformer.text.cutting import cutter_class
from stageformer.text.pair import is_of_a_run, load_tokenizers, tokenizer_class
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import UNK

_FORM: dict[str, Any] = {"case": "keep", "normalisation": "none"}
_GIVEN = ("char", "none", "word")
_PUBLISHED = {
    "bert": "google-bert/bert-base-uncased",
    "clip": "openai/clip-vit-base-patch32",
    "gpt2": "openai-community/gpt2",
}
"""Tokenizers that people know by a name, and the repository of the Hugging Face hub that has them."""


class Column(NamedTuple):
    """What one tokenizer makes of the sentence."""

    name: str
    versions: dict[str, str]
    tokens: list[str]
    ids: list[int] | None
    """None: the tokenizer has none of its own; a run of the pipeline gives it some."""
    decoded: str
    exact: bool
    """Whether the decoded text is the sentence."""


def side_by_side(text: str, names: Sequence[str], language: str | None) -> list[Column]:
    """Cut a sentence by several tokenizers.

    Args:
        text: the sentence
        names: each a cutter, ``module:callable``, ``char``, ``word``, ``none``, ``bert``, ``gpt2``, ``clip``, the path
            of a pretrained tokenizer, or ``NAME=PATH``
        language: for the cutters that know languages

    Raises:
        StageformerError: an unknown name, a missing package, or missing files.
    """
    if language is not None and not any(_takes("language", name) for name in names):
        raise StageformerError(f"no language has an effect on {', '.join(names)}; leave --language out")
    found = []
    for name in names:
        tokenizer = _tokenizer(name, language)
        (tokens,) = tokenizer.encode_batch([text])
        ids = None
        if tokenizer.entries is not None:
            numbers = {token: index for index, token in enumerate(tokenizer.entries)}
            ids = [numbers.get(token, numbers[UNK]) for token in tokens]
        decoded = tokenizer.decode(tokens)
        found.append(Column(name.partition("=")[0], tokenizer.versions, tokens, ids, decoded, decoded == text))
    return found


def as_dict(text: str, found: Sequence[Column]) -> dict[str, Any]:
    """Return the same for JSON."""
    return {"text": text, "tokenizers": [column._asdict() for column in found]}


def as_text(found: Sequence[Column]) -> str:
    """Return a table with a column for each tokenizer, and a row for each token, beside its id if it has one."""
    heads: list[list[str]] = []
    bodies: list[list[list[str]]] = []
    for column in found:
        beside = column.ids is not None
        versions = ", ".join(f"{name} {version}" for name, version in column.versions.items())
        plural = "" if len(column.tokens) == 1 else "s"
        count = f"{len(column.tokens)} token{plural}, {'exact' if column.exact else 'lossy'}"
        heads += [[column.name, versions, count, ""], *([["", "", "", ""]] if beside else [])]
        bodies.append([["␣" if token == " " else token for token in column.tokens]])
        if column.ids is not None:
            bodies[-1].append([str(index) for index in column.ids])
    rows = [list(row) for row in zip(*heads, strict=True)]
    rows += [list(row) for row in zip_longest(*(cells for body in bodies for cells in body), fillvalue="")]
    lines = columns([[str(number) if number > 0 else "", *row] for number, row in enumerate(rows, -3)], right=[0])
    lost = [f"{column.name} gives back: {clean(column.decoded)}" for column in found if not column.exact]
    return "\n".join([*(line.rstrip() for line in lines), *(["", *lost] if lost else [])])


def _takes(option: str, name: str) -> bool:
    """Whether a tokenizer uses an option of the cutters; a function of the user's may use any."""
    name = name.partition("=")[0]
    if name in kinds("stageformer.text.cutters"):
        return option in cutter_class(name).takes
    return ":" in name


def _tokenizer(name: str, language: str | None) -> Tokenizer:
    name, equals, path = name.partition("=")
    cutters = kinds("stageformer.text.cutters")
    if not name or (equals and not path):
        raise StageformerError(f"found {name + equals!r}, which names no tokenizer; needed NAME, or NAME=PATH")
    if path and name in cutters and not _takes("path", name):
        raise StageformerError(f"the path {path} has no effect on {name}, which needs no data; write {name} alone")
    if name in cutters or (":" in name and not Path(name).exists()):
        options: Any = Cut(
            kind="cut", cutter=name, language=language, path=path or None,
            subwords="none", vocabulary_size=None, **_FORM,
        )  # fmt: skip
    elif name in _GIVEN:
        options = Given(kind=name, **_FORM)
    elif equals or Path(name).exists() or name in _PUBLISHED:
        where = path if equals else name if Path(name).exists() else _published(name)
        if is_of_a_run(Path(where)):
            return load_tokenizers(Path(where)).source  # of a run: cut and joined as that does
        options = Pretrained(kind="pretrained", path=where, **_FORM)
    elif name in kinds("stageformer.text.tokenizers"):
        raise StageformerError(
            f"the tokenizer {name} learns its tokens or reads them from files: give {name}=PATH with a tokenizer.json, "
            "such as data/tokenize/tokenizer of a run"
        )
    else:
        known = [*cutters, *_GIVEN, *_PUBLISHED]
        raise StageformerError(
            f"unknown tokenizer {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}, module:callable, and "
            "NAME=PATH for the files of any other"
        )
    return tokenizer_class(options.kind).train([], options)


def _published(name: str) -> str:
    """Return the file of a tokenizer that people know by a name, from the cache of the hub on this machine."""
    from huggingface_hub import try_to_load_from_cache

    repository = _PUBLISHED[name]
    for owned in (repository, repository.rpartition("/")[2]):
        found = try_to_load_from_cache(owned, "tokenizer.json")
        if isinstance(found, str):
            return found
    raise StageformerError(
        f"the files of {name} are not on this machine: run `hf download {repository} tokenizer.json`, or give "
        f"{name}=PATH with its vocab.txt, vocab.json or tokenizer.json"
    )
