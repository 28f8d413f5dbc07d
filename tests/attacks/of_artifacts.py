"""Commands that look into a run, each with every artifact that it reads changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.harness import Attack, anything, attacks
from tests.attacks.making import DROP, away, bytes_of, column, document, metadata, table, tensors, write
from tests.attacks.of_tensors import KINDS
from tests.attacks.world import LANGUAGE_MODEL, TRANSLATION

MODEL, ENCODER = "data/train_decoder/model.pt", "data/train_encoder/encoder.pt"
VOCABULARY, CONFIG = "data/vocab/vocabulary.parquet", "data/tokenize/tokenizer/config.json"
TOKENIZER, MEMORY = "data/tokenize/tokenizer/shared/tokenizer.json", "data/encode/train/memory-00000.pt"
EMBEDDING, SENTENCES, IDS = "data/embed/embedding.pt", "data/ingest/train.parquet", "data/vocab/train.parquet"
LABELS, TOKENS = "data/ingest/labels/train.parquet", "data/tokenize/train.parquet"

COMMANDS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "pool": (TRANSLATION, ("memory", "pool", "data/encode/train", "o"), (MEMORY,)),
    "similar": (TRANSLATION, ("similar", "one two"), (ENCODER, VOCABULARY, CONFIG, TOKENIZER, MEMORY, SENTENCES, IDS)),
    "nearest": (TRANSLATION, ("nearest", "one"), (MODEL, VOCABULARY, EMBEDDING)),
    "walk": (TRANSLATION, ("walk", "one two"), (MODEL, VOCABULARY, CONFIG, TOKENIZER)),
    "complete": (LANGUAGE_MODEL, ("complete", "one"), (ENCODER, VOCABULARY, CONFIG, TOKENIZER)),
    "probe": (
        LANGUAGE_MODEL,
        ("probe", "--seeds", "1", "--examples", "20"),
        (ENCODER, VOCABULARY, CONFIG, TOKENIZER, LABELS, SENTENCES, TOKENS, IDS),
    ),
    "tokenize": (TRANSLATION, ("tokenize", "one", "--kind", "data/tokenize/tokenizer"), (CONFIG, TOKENIZER)),
}
"""Commands, their world, and the artifacts that they read."""


def _of_any(path: str) -> dict[str, Callable[[Path], Any]]:
    return {
        "is missing": away(path),
        "is empty": write(path, ""),
        "is text": write(path, "a text\n"),
        "is cut off": bytes_of(path, lambda data: data[: len(data) // 2]),
        "is zeros": write(path, bytes(9999)),
        "is of params.yaml": lambda root: shutil.copy(root / "params.yaml", root / path),
    }


def _of_json(path: str) -> dict[str, Callable[[Path], Any]]:
    return {
        "is a list": document(path, lambda content: [content]),
        "is null": write(path, "null"),
        "is deep": write(path, "[" * 10**5),
        "is empty JSON": write(path, "{}"),
        "is of digits": write(path, '{"source": ' + "9" * 5000 + "}"),
    }


def _kind(kind: object) -> Callable[[Any], None]:
    return lambda content: content["source"].update(kind=kind)


SOME = (
    "a sparse tensor", "a transposed tensor", "whole numbers", "one row less", "NaN", "an unknown name", "no tensors",
    "empty metadata", "another kind", "a version that is text",
)  # fmt: skip
"""Kinds of damage in files of tensors; those with all commands that read one are in of_tensors."""
CHANGES: dict[str, dict[str, Callable[[Path], Any]]] = {
    CONFIG: {
        **{
            f"kind {kind!r}": document(CONFIG, _kind(kind))
            for kind in (
                "unigram",
                "wordpiece",
                "word",
                "char",
                "byte_bpe",
                "cut",
                "sentencepiece",
                "pretrained",
                "none",
                "base",
                "_x",
                "../x",
                "\x1b[31m",
                3,
                None,
                [],
            )
        },
        **{
            f"{key} {value!r}": document(CONFIG, lambda content, key=key, value=value: content.update({key: value}))
            for key, value in (
                ("source", []),
                ("source", "x"),
                ("target", 3),
                ("target", {}),
                ("schema_version", 2),
                ("schema_version", "\x1b[31m\nforged"),
                ("schema_version", None),
            )
        },
        **{
            f"source.{key} {value!r}": document(
                CONFIG, lambda content, key=key, value=value: content["source"].update({key: value})
            )
            for key, value in (
                ("case", "x"),
                ("case", None),
                ("normalisation", 3),
                ("versions", []),
                ("versions", {"a": {}}),
                ("case", "lower"),
            )
        },
    },
    TOKENIZER: {
        "truncation": document(
            TOKENIZER,
            lambda c: c.update(
                truncation={"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0}
            ),
        ),
        "an absurd stride": document(
            TOKENIZER,
            lambda c: c.update(
                truncation={"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 9}
            ),
        ),
        "padding": document(
            TOKENIZER,
            lambda c: c.update(
                padding={
                    "strategy": {"Fixed": 10**9},
                    "direction": "Right",
                    "pad_to_multiple_of": None,
                    "pad_id": 0,
                    "pad_type_id": 0,
                    "pad_token": "x",
                }
            ),
        ),
        "a catastrophic pattern": document(
            TOKENIZER,
            lambda c: c.update(
                pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
            ),
        ),
        "a broken pattern": document(
            TOKENIZER,
            lambda c: c.update(
                pre_tokenizer={"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}
            ),
        ),
        "no model": document(TOKENIZER, lambda c: c.pop("model") and None),
        "model null": document(TOKENIZER, lambda c: c.update(model=None)),
        "another model": document(
            TOKENIZER, lambda c: c.update(model={"type": "WordLevel", "vocab": {}, "unk_token": "x"})
        ),
        "a model of nothing": document(TOKENIZER, lambda c: c["model"].update(vocab={}, merges=[])),
        "merges that are none": document(TOKENIZER, lambda c: c["model"].update(merges=[["no", "such"]])),
        "ids below zero": document(
            TOKENIZER, lambda c: c["model"].update(vocab=dict.fromkeys(c["model"]["vocab"], -1))
        ),
        "equal ids": document(TOKENIZER, lambda c: c["model"].update(vocab=dict.fromkeys(c["model"]["vocab"], 0))),
        "huge ids": document(
            TOKENIZER,
            lambda c: c["model"].update(
                vocab={token: 2**32 - 1 - number for number, token in enumerate(c["model"]["vocab"])}
            ),
        ),
        "an unknown token": document(TOKENIZER, lambda c: c["model"].update(unk_token="no such")),
        "added tokens": document(
            TOKENIZER, lambda c: c.update(added_tokens=[{"id": 0, "content": "\x1b[31m", "special": True}])
        ),
        "version 9": document(TOKENIZER, lambda c: c.update(version="9")),
    },
    VOCABULARY: {
        "reversed": column(VOCABULARY, "token", lambda values: values[::-1]),
        "no rows": table(VOCABULARY, lambda t: t.slice(0, 0)),
        "a row less": table(VOCABULARY, lambda t: t.slice(0, len(t) - 1)),
        "a row more": table(VOCABULARY, lambda t: t.take([*range(len(t)), 9])),
        "a token twice": column(VOCABULARY, "token", lambda values: [*values[:-1], values[5]]),
        "ids from 1": column(VOCABULARY, "id", lambda values: [value + 1 for value in values]),
        "no special tokens": column(VOCABULARY, "token", lambda values: [f"x{n}" for n in range(len(values))]),
        "counts below zero": column(VOCABULARY, "count", lambda values: [-1] * len(values)),
    },
    SENTENCES: {
        "other ids": column(SENTENCES, "id", lambda values: [value + 10**6 for value in values]),
        "a row less": table(SENTENCES, lambda t: t.slice(1)),
        "no rows": table(SENTENCES, lambda t: t.slice(0, 0)),
        "null sources": column(SENTENCES, "source", lambda v: [None] * len(v)),
        "escapes": column(SENTENCES, "source", lambda v: ["\x1b[31mred\nforged"] * len(v)),
        "empty sources": column(SENTENCES, "source", lambda v: [""] * len(v)),
    },
    IDS: {
        "other ids": column(IDS, "id", lambda values: [value + 10**6 for value in values]),
        "no rows": table(IDS, lambda t: t.slice(0, 0)),
        "a row less": table(IDS, lambda t: t.slice(1)),
    },
    LABELS: {
        "null labels": column(LABELS, "labels", lambda values: [None] * len(values)),
        "no rows": table(LABELS, lambda t: t.slice(0, 0)),
        "nulls in labels": column(LABELS, "labels", lambda values: [[None]] * len(values)),
        "no labels": column(LABELS, "labels", lambda values: [[]] * len(values)),
        "many labels": column(LABELS, "labels", lambda values: [["x"] * 1000] * len(values)),
        "one label": column(LABELS, "labels", lambda values: [["x"]] * len(values)),
        "a label each": column(LABELS, "labels", lambda values: [[str(n)] for n in range(len(values))]),
        "escapes": column(LABELS, "labels", lambda values: [["\x1b[31m\nforged"]] * len(values)),
        "other ids": column(LABELS, "id", lambda values: [value + 1 for value in values]),
    },
    TOKENS: {
        "no tokens": column(TOKENS, "source_tokens", lambda values: [[]] * len(values)),
        "other tokens": column(TOKENS, "source_tokens", lambda values: [["\x1b[31m"] * 3] * len(values)),
        "null tokens": column(TOKENS, "source_tokens", lambda values: [[None]] * len(values)),
        "other ids": column(TOKENS, "id", lambda values: [value + 1 for value in values]),
    },
    **{
        path: {kind: tensors(path, change) for kind, change in KINDS.items() if kind in SOME}
        for path in (MODEL, ENCODER, EMBEDDING, MEMORY)
    },
}
CHANGES[MEMORY] |= {
    f"{key} {'DROP' if value is DROP else repr(value)}": metadata(MEMORY, **{key: value})
    for key in ("d_model", "fingerprint", "num_shards", "num_sentences")
    for value in (DROP, None, "x", 10**9, -1, [])
}

HARMLESS = {
    "escapes",
    "a label each",
    "one label",
    "counts below zero",
    "version 9",
    "versions []",
    "source.versions []",
    "source.versions {'a': {}}",
    "an unknown token",
    "merges that are none",
    "another fingerprint",
}
"""Changes that leave what the command needs as it is, or are right as they are."""


LENIENT = {("pool", "fingerprint 'x'"), ("similar", "empty sources"), ("similar", "escapes")}
"""A pooled memory may be of any encoder, and a text that is shown any text."""


@attacks("commands: artifacts")
def artifacts() -> Iterator[Attack]:
    for name, (world, command, paths) in COMMANDS.items():
        for path in paths:
            changes = _of_any(path) | CHANGES[path] | (_of_json(path) if path.endswith(".json") else {})
            for change, prepare in changes.items():
                right = anything if change in HARMLESS or (name, change) in LENIENT else None
                yield Attack(f"{name}: {path}: {change}", command, prepare, right, world=world)
