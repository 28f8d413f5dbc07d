"""Parameters and options: numbers that abort a process, YAML without end, keys that write on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attacks.harness import Attack, attacks, prints
from tests.attacks.making import params, write

NUMBERS = (-1, 10**9, 2**63, 2**70, 10**400, float("nan"), float("inf"), "x", "\x1b[31m", None, [], {}, True)
KEYS = (
    "embed.d_model", "embed.max_length", "embed.seed", "tokenize.source.vocabulary_size", "model.num_layers",
    "model.num_heads", "model.d_ff", "train_decoder.num_layers", "train_encoder.training.batch_tokens",
    "train_encoder.training.seed", "train_encoder.training.max_updates", "compute.threads", "compute.processes",
    "compute.micro_batch_tokens", "translate.beam_size", "translate.max_length_ratio", "translate.max_length_offset",
    "encode.dropout_copies", "ingest.max_length_ratio",
)  # fmt: skip
ALLOWED = {(key, 10**9) for key in KEYS if "seed" in key or "tokens" in key or "max_updates" in key} | {
    ("ingest.max_length_ratio", None), ("ingest.max_length_ratio", 10**9), ("train_decoder.num_layers", None)
}
"""Large, and meant: no limit in practice."""


@attacks("parameters: numbers")
def numbers() -> Iterator[Attack]:
    for key in KEYS:
        for number in NUMBERS:
            allowed = (key, number) in ALLOWED if not isinstance(number, list | dict) else False
            yield Attack(
                f"{key} {str(number)[:30]!r}", ("check",), params(**{key.replace(".", "__"): number}),
                right=prints("all parameters are known and allowed") if allowed else None,
            )  # fmt: skip


YAML = {
    "deep lists": "a: " + "[" * 100_000, "deep groups": "a: " + "{b: " * 50_000, "a huge number": f"a: {'9' * 5_000}",
    "an alias of itself": "a: &a [*a]", "a bomb": "\n".join(
        [f"a0: &a0 [{'x, ' * 10}]", *(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]" for n in range(1, 9))]
    ),
    "a tag of Python": "a: !!python/object/apply:os.system ['touch pwned']", "tabs": "a:\n\t- b",
    "a date": "a: 2001-99-99",
    "a key twice": "ingest: 1\ningest: 2", "no end of a text": 'a: "', "bytes": "\xff\xfe\x00", "nothing": "",
    "a list": "- a",
    "a text": "abc", "an escape in a key": '"\\e[31mred\\nerror: forged": 1', "a control of direction": '"\\u202ex": 1',
    "a key that is a list": "? [a]\n: b", "a key of 100,000 letters": "x" * 100_000 + ": 1",
}  # fmt: skip


@attacks("parameters: YAML")
def yaml() -> Iterator[Attack]:
    for name, text in YAML.items():
        content = text.encode("latin-1") if name == "bytes" else text.encode()
        yield Attack(f"check: {name}", ("check",), write("params.yaml", content))
        yield Attack(f"use: {name}", ("use", "evil"), write("recipes/evil.yaml", content))
        yield Attack(f"a stage: {name}", ("stages.embed",), write("params.yaml", content))


@attacks("options")
def options() -> Iterator[Attack]:
    for name, values in {
        "--temperature": ("nan", "inf", "0", "-1", "1e-320", "1e308", "x"), "--top-p": ("nan", "0", "2", "-inf"),
        "--top-k": ("-1", str(2**70), "1.5"), "--seed": ("-1", str(2**70), "x"),
    }.items():  # fmt: skip
        for value in values:
            yield Attack(f"{name} {value}", ("translate", "one", "--sample", name, value))
        yield Attack(f"{name} without --sample", ("translate", "one", name, "1"))
    others = {"--nbest": "2", "--prefix": "x", "--beam-size": "2", "--sample": None, "--attention": None}
    for name, value in others.items():
        given = (name,) if value is None else (name, value)
        command = ("translate", "--input", "corpus/valid.en", "--score", "corpus/valid.de", *given)
        yield Attack(f"{name} with --score", command)
    for value in ("0", "-3", "10000000000", str(2**70), "x", "1.5", "nan"):
        yield Attack(f"--beam-size {value}", ("translate", "one", "--beam-size", value))
        yield Attack(f"--nbest {value}", ("translate", "one", "--nbest", value))
    for text in ("--no-such\x1b[31m", "--no\nsuch", "--\u202ex"):
        for command in ("translate", "show", "check", "report", "score", "summary", "use", "status", "explain",
                        "compare", "export"):  # fmt: skip
            yield Attack(f"{command}: the option {text!r}", (command, text))
    for text in ("\x1b[31mred\nforged", "a\u202eb", "\x9b2J", "\udcff"):
        for command in (("show", text), ("translate", "--input", text, "--output", "o"), ("check", "--params", text),
                        ("score", "--hypotheses", text, "--references", text), ("use", text), (text,),
                        ("memory", "export", text, "o"), ("summary", "--root", text)):  # fmt: skip
            yield Attack(f"{command[0]}: the argument {text!r}", command)
