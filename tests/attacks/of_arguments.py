"""Odd arguments and options of the commands that look into a run."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attacks.harness import Attack, anything, attacks
from tests.attacks.world import LANGUAGE_MODEL, TRANSLATION

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
