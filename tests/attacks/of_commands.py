"""Commands that look into a run: each with every artifact that it reads changed, and with odd arguments."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.harness import Attack, anything, attacks, prints
from tests.attacks.making import DROP, bytes_of, column, document, metadata, params, setting, table, tensors, write
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


def _away(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


def _of_any(path: str) -> dict[str, Callable[[Path], Any]]:
    return {
        "is missing": _away(path),
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
    f"{key} {value!r}": metadata(MEMORY, **{key: value})
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


TEXTS = (
    "",
    " ",
    "\x1b[31mred\nforged",
    "\u202eabc",
    "one " * 3000,
    "x" * 100_000,
    "<script>alert(1)</script>",
    "\udcff",
    "<pad>",
    "<bos><eos>",
    "one\ntwo\rthree",
    "\ufeff",
    "a\u0301" * 500,
    "=cmd|x",
)


@attacks("commands: arguments")
def arguments() -> Iterator[Attack]:
    for text in TEXTS:
        for command, world in (
            (("similar",), TRANSLATION),
            (("nearest",), TRANSLATION),
            (("walk",), TRANSLATION),
            (("complete",), LANGUAGE_MODEL),
            (("tokenize", "--kind", "char"), TRANSLATION),
            (("explain",), TRANSLATION),
            (("table",), TRANSLATION),
            (("tokenize", "one", "--kind"), TRANSLATION),
            (("walk", "one", "--against"), TRANSLATION),
            (("compare", "HEAD"), TRANSLATION),
            (("memory", "pool", "data/encode/test"), TRANSLATION),
            (("similar", "one", "--how"), TRANSLATION),
            (("probe", "--split"), LANGUAGE_MODEL),
        ):
            # Any text may be asked about; what comes out is clean, and a text that is too long is refused.
            is_text = command[0] in ("similar", "walk", "complete", "tokenize", "explain", "memory") and command[
                -1
            ] not in (
                "--kind",
                "--against",
                "--how",
            )
            is_text = is_text or command[-1] == "char"
            yield Attack(
                f"{' '.join(command)} {text[:20]!r}",
                (*command, "--", text)
                if not command[-1].startswith("--") or command[-1] == "char"
                else (*command, text),
                right=anything if is_text else None,
                world=world,
            )
    for number in ("-1", "0", "nan", "1e9", str(2**70), "x", "", "1001", "1.5"):
        for command, world in (
            (("similar", "one", "--number"), TRANSLATION),
            (("nearest", "one", "--number"), TRANSLATION),
            (("probe", "--seeds"), LANGUAGE_MODEL),
            (("probe", "--examples"), LANGUAGE_MODEL),
            (("complete", "one", "--max-tokens"), LANGUAGE_MODEL),
            (("walk", "one", "--beam-size"), TRANSLATION),
            (("explain", "one", "--layer"), TRANSLATION),
            (("explain", "one", "--head"), TRANSLATION),
            (("complete", "one", "--nbest"), LANGUAGE_MODEL),
        ):
            allowed = (number == "1001" and command[-1] in ("--examples", "--max-tokens")) or (
                number == "0" and command[0] == "explain"
            )
            yield Attack(
                f"{' '.join(command)} {number!r}", (*command, number), right=anything if allowed else None, world=world
            )
    for option in ("--temperature", "--top-k", "--top-p", "--seed"):
        for command, world in ((("complete", "one"), LANGUAGE_MODEL), (("walk", "one"), TRANSLATION)):
            yield Attack(f"{command[0]} {option} without --sample", (*command, option, "1"), world=world)
            yield Attack(f"{command[0]} {option} nan", (*command, "--sample", option, "nan"), world=world)
    for command in (("complete", "one"), ("probe",)):
        yield Attack(f"{command[0]}: another model", command)  # one without a causal mask, a corpus without labels
    for path in ("o.txt", "o", "params.yaml/x", "/proc/nothing/x.png", "x" * 300, "data"):
        yield Attack(f"probe --output {path[:20]}", ("probe", "--output", path), world=LANGUAGE_MODEL)
        yield Attack(
            f"walk --output {path[:20]}",
            ("walk", "one", "--output", path),
            right=anything if path in ("o.txt", "o") else None,
        )
        yield Attack(
            f"pool to {path[:20]}",
            ("memory", "pool", "data/encode/test", path),
            right=anything if path in ("o.txt", "o") else None,
        )
    for kind in (
        "bpe",
        "bert=nowhere",
        "=x",
        "x=",
        "os:system",
        "nope:x",
        ":",
        "json:loads",
        "data",
        "params.yaml",
        "spacy=\x1b[31m",
        "bert=params.yaml",
        "x=data/tokenize",
        "stanza=data",
        "corenlp=data",
        "nltk_punkt=data",
        "pretrained=/dev",
    ):
        yield Attack(f"tokenize --kind {kind!r}", ("tokenize", "one", "--kind", kind))
    for language in ("", "xx", "../de", "\x1b[31m", "x" * 1000):
        yield Attack(
            f"tokenize --language {language[:9]!r}", ("tokenize", "one", "--kind", "spacy", "--language", language)
        )


def _cache(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Return what makes a cache of DVC with the outputs of the world, and then something wrong in it."""

    def prepare(root: Path) -> None:
        from ruamel.yaml import YAML

        cache = root / ".dvc/cache/files/md5"
        lock = YAML(typ="safe", pure=True).load(root / "dvc.lock")
        for stage in lock["stages"].values():
            for out in stage["outs"]:
                if (root / out["path"]).is_file():
                    place = cache / out["md5"][:2] / out["md5"][2:]
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(root / out["path"], place)
        make(root)

    return prepare


def _entry(root: Path) -> Path:
    return sorted((root / ".dvc/cache/files/md5").glob("??/*"))[0]


def _listed(entries: object) -> Callable[[Path], None]:
    """Return what writes a list of a folder that has the right md5, and names it in dvc.lock."""

    def make(root: Path) -> None:
        import hashlib

        content = (entries if isinstance(entries, str) else json.dumps(entries)).encode()
        md5 = hashlib.md5(content).hexdigest()
        place = root / ".dvc/cache/files/md5" / md5[:2] / f"{md5[2:]}.dir"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        setting(
            "dvc.lock", stages={"x": {"cmd": "x", "outs": [{"path": "data/x", "md5": f"{md5}.dir", "hash": "md5"}]}}
        )(root)

    return make


@attacks("commands: heal")
def healing() -> Iterator[Attack]:
    def swap(make: Callable[[Path], Any]) -> Callable[[Path], None]:
        def change(root: Path) -> None:
            path = _entry(root)
            path.unlink()
            make(path)

        return change

    found = lambda outcome: "entries" in outcome.stdout  # noqa: E731
    cases: dict[str, tuple[Callable[[Path], Any], Any]] = {
        "whole": (lambda root: None, found),
        "a damaged entry": (swap(lambda path: path.write_text("x")), prints("damaged")),
        "an entry that is a folder": (swap(lambda path: path.mkdir()), found),
        "an entry that is a pipe": (swap(lambda path: __import__("os").mkfifo(path)), found),
        "an entry that is a loop of links": (swap(lambda path: path.symlink_to(path.name)), found),
        "an entry that is a dangling link": (swap(lambda path: path.symlink_to("nowhere")), found),
        "an entry that is a link to a file": (
            swap(lambda path: path.symlink_to(path.parents[5] / "params.yaml")),
            found,
        ),
        "an odd name": (lambda root: (_entry(root).parent / ("\x1b[31m" + "z" * 25)).write_text("x"), found),
        "a file for the cache": (
            lambda root: shutil.rmtree(root / ".dvc/cache") or (root / ".dvc/cache").write_text("x"),
            None,
        ),
        "no cache": (lambda root: shutil.rmtree(root / ".dvc/cache"), found),
        "a folder for an output": (lambda root: (root / MODEL).unlink() or (root / MODEL).mkdir(), found),
        "a pipe for an output": (lambda root: (root / MODEL).unlink() or __import__("os").mkfifo(root / MODEL), found),
        "a list that is none": (_listed("{"), None),
        "a list of numbers": (_listed([1, 2]), None),
        "a list of nothing": (_listed([{}]), None),
        "an entry that climbs": (_listed([{"relpath": "../../../climbs", "md5": "0" * 32}]), None),
        "an absolute entry": (_listed([{"relpath": "/etc/hostname", "md5": "0" * 32}]), None),
        "an md5 that climbs": (_listed([{"relpath": "x", "md5": "../../../../params.yaml"}]), None),
        "a deep list": (_listed("[" * 100_000), None),
        "an md5 of numbers": (_listed([{"relpath": "x", "md5": 3}]), None),
        "no lock": (_away("dvc.lock"), found),
        "an empty lock": (write("dvc.lock", ""), None),
        "a lock of text": (write("dvc.lock", "x"), None),
        "stages that are a number": (setting("dvc.lock", stages=5), None),
        "a stage that is a list": (setting("dvc.lock", stages={"a": []}), None),
        "outs that are text": (setting("dvc.lock", stages={"a": {"outs": "x"}}), None),
        "an out of nothing": (setting("dvc.lock", stages={"a": {"outs": [{}]}}), None),
        "an md5 that is a number": (setting("dvc.lock", stages={"a": {"outs": [{"path": "x", "md5": 5}]}}), None),
        "a path that climbs": (
            setting("dvc.lock", stages={"a": {"outs": [{"path": "../../x", "md5": "0" * 32}]}}),
            None,
        ),
        "a deep lock": (write("dvc.lock", "a: " + "[" * 100_000), None),
        "no folder of DVC": (lambda root: shutil.rmtree(root / ".dvc"), None),
        "a configuration of text": (write(".dvc/config", "x\x1b[31m"), None),
    }
    for name, (make, right) in cases.items():
        yield Attack(name, ("heal",), _cache(make), right, memory=6 * 2**30)


@attacks("commands: experiments")
def experiments() -> Iterator[Attack]:
    """`table`, `compare`, `report` and `walk --against` with a copy of the repository that is broken."""
    metrics, lock = "other/reports/evaluate/metrics.json", "other/dvc.lock"
    cases: dict[str, Callable[[Path], Any]] = {
        "no metrics": _away(metrics),
        "metrics of text": write(metrics, "x"),
        "metrics []": write(metrics, "[]"),
        "metrics null": write(metrics, "null"),
        "metrics of texts": document(metrics, lambda c: dict.fromkeys(c, "\x1b[31m<b>")),
        "metrics of lists": document(metrics, lambda c: {name: [[]] for name in c}),
        "deep metrics": write(metrics, "[" * 10**5),
        "huge numbers": document(metrics, lambda c: dict.fromkeys(c, 10**400)),
        "NaN": write(metrics, '{"bleu": NaN}'),
        "no parameters": _away("other/params.yaml"),
        "parameters of text": write("other/params.yaml", "x"),
        "a group that is a number": setting("other/params.yaml", ingest=5),
        "a group less": setting("other/params.yaml", embed=DROP),
        "keys with escapes": setting("other/params.yaml", **{"embed__seed": "\x1b[31m\nforged"}),
        "an unknown group": setting("other/params.yaml", more={"\x1b[31m": ["<script>"]}),
        "no lock": _away(lock),
        "a lock of text": write(lock, "x"),
        "stages 5": setting(lock, stages=5),
        "evaluate 5": setting(lock, stages__evaluate=5),
        "no translations": _away("other/reports/evaluate/translations.json"),
        "translations of text": write("other/reports/evaluate/translations.json", "x"),
        "translations null": write("other/reports/evaluate/translations.json", "null"),
        "a cost of text": write("other/reports/evaluate/cost.json", '{"seconds": "x"}'),
        "an environment of numbers": write("other/reports/evaluate/environment.json", '{"versions": 5, "cpu": []}'),
        "curves of text": write(
            "other/reports/train_encoder/plots/metrics/train_loss.tsv", "step\ttrain_loss\nx\tnan\n"
        ),
        "a field of a million letters": write("other/reports/evaluate/by_length.csv", "a,b\n" + "x" * 10**6),
        "no dvc.yaml": _away("other/dvc.yaml"),
        "dvc.yaml of text": write("other/dvc.yaml", "a: 5"),
    }
    for name, change in cases.items():

        def prepare(root: Path, change: Callable[[Path], Any] = change) -> None:
            shutil.copytree(root, root / "other", ignore=shutil.ignore_patterns("other"))
            change(root)

        for command in (
            ("table", "workspace", "other"),
            ("compare", "workspace", "other"),
            ("report", "workspace", "other"),
            ("status", "--root", "other"),
            ("summary", "--root", "other"),
        ):
            # What is missing or odd is left out or said; what is asked for and is not there is refused.
            yield Attack(f"{command[0]}: {name}", command, prepare, anything, memory=6 * 2**30)
    for name in (
        "HEAD",
        "HEAD~99",
        "HEAD:params.yaml",
        "no-such",
        "--",
        "@{-1}",
        "HEAD^{tree}",
        ":",
        "..",
        "other",
        "data",
        "a..b",
    ):
        for command in (("table", name), ("walk", "one", "--against", name), ("compare", name), ("report", name)):
            yield Attack(
                f"{' '.join(command)}",
                command,
                right=anything if name in ("HEAD", "data", "--") else None,
                memory=6 * 2**30,
            )
    yield Attack("a recipe of params", ("check",), params(embed__d_model=DROP))
