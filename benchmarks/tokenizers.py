"""Every family of tokenizers: speed, exactness and determinism, as the table in ``docs/tokenizers.md``.

\b
    python -m benchmarks.tokenizers --nltk-data FOLDER --pretrained bert=FOLDER --output docs/tokenizers.md

Each tokenizer learns from the sentences, if it learns, and cuts them, in three processes of its own with three hash
seeds, on one thread. The speed is that of the cutting alone, in sentences per second of processor time: the median of
the three. It is deterministic if the three have the same tokens. It is exact on as many sentences as it gives back.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from benchmarks.configurations import SHARED_DATA
from stageformer.artifacts.files import atomic_file
from stageformer.commands.program import command
from stageformer.errors import StageformerError

BEGIN, END = "<!-- begin: python -m benchmarks.tokenizers -->", "<!-- end -->"
_SEEDS = ("0", "1", "2")


@dataclass(frozen=True)
class Family:
    """A row of the table: what no measurement tells."""

    known_as: str
    options: dict[str, object]
    """those of the kind that differ from the usual ones"""
    package: str = "tokenizers"
    """the distribution that cuts; "": none"""
    licence: str = "Apache-2.0"
    data: str = "none"
    maintained: str = "yes"
    language: str = "en"
    """of the sentences"""

    @property
    def shown(self) -> str:
        """The kind and what chooses within it."""
        kind, *more = [str(self.options[name]) for name in ("kind", "cutter", "language") if name in self.options]
        if "model_type" in self.options:
            more.append(str(self.options["model_type"]))
        return f"`{kind}`" + (f": `{'`, `'.join(more)}`" if more else "")


def _cut(known_as: str, cutter: str, package: str, licence: str, language: str | None = None, **more: Any) -> Family:
    options: dict[str, object] = {"kind": "cut", "cutter": cutter}
    if language:
        options["language"] = language
    return Family(known_as, options, package, licence, language=language or "en", **more)


_PUNKT, _LEARNT, _MODELS = "`punkt_tab`", "learnt", "models of one's own"
FAMILIES = (
    Family("BPE, subword-nmt", {"kind": "bpe"}, data=_LEARNT),
    Family("byte BPE, as GPT-2", {"kind": "byte_bpe"}, data=_LEARNT),
    Family("Unigram", {"kind": "unigram"}, data=_LEARNT),
    Family("WordPiece, as BERT", {"kind": "wordpiece"}, data=_LEARNT),
    *(
        Family(f"SentencePiece {name}", {"kind": "sentencepiece", "model_type": name}, "sentencepiece", data=_LEARNT)
        for name in ("unigram", "bpe")
    ),
    Family("characters", {"kind": "char"}, "", ""),
    Family("words, torchtext's `basic_english`", {"kind": "word"}, "", ""),
    Family("text that is tokens", {"kind": "none"}, "", ""),
    _cut("NLTK `word_tokenize`, one sentence", "nltk", "nltk", "Apache-2.0"),
    _cut("NLTK `word_tokenize`", "nltk_punkt", "nltk", "Apache-2.0", "en", data=_PUNKT),
    _cut("NLTK Treebank", "nltk_treebank", "nltk", "Apache-2.0"),
    _cut("NLTK `wordpunct_tokenize`", "nltk_wordpunct", "nltk", "Apache-2.0"),
    _cut("NLTK TweetTokenizer", "nltk_tweet", "nltk", "Apache-2.0"),
    _cut("NLTK Toktok", "nltk_toktok", "nltk", "Apache-2.0"),
    _cut("spaCy, English", "spacy", "spacy", "MIT", "en"),
    _cut("spaCy, German", "spacy", "spacy", "MIT", "de"),
    _cut("spaCy, Japanese (SudachiPy)", "spacy", "sudachidict-core", "MIT, Apache-2.0", "ja"),
    _cut("spaCy, Chinese (characters)", "spacy", "spacy", "MIT", "zh"),
    _cut("spaCy, Thai (PyThaiNLP)", "spacy", "pythainlp", "MIT, Apache-2.0", "th"),
    _cut("Moses, sacremoses", "moses", "sacremoses", "MIT", "en"),
    _cut("OpenNMT Tokenizer", "pyonmttok", "pyonmttok", "MIT"),
    _cut("Gensim `tokenize`", "gensim", "gensim", "LGPL-2.1"),
    _cut("Gensim `simple_preprocess`", "gensim_simple", "gensim", "LGPL-2.1"),
    _cut("Keras Tokenizer", "keras", "keras", "Apache-2.0", maintained="Keras, yes; its Tokenizer, no"),
    _cut("TextBlob", "textblob", "textblob", "MIT", data=_PUNKT),
    _cut("Stanza", "stanza", "stanza", "Apache-2.0", data=_MODELS),
    _cut("Stanford CoreNLP", "corenlp", "stanza", "GPL-3.0 (CoreNLP)", data="Java, jars of one's own"),
    Family("a function of one's own", {"kind": "cut", "cutter": "nltk.tokenize:wordpunct_tokenize"}, "", ""),
    Family("BERT vocabulary", {"kind": "pretrained", "path": "bert"}, data="its files"),
    Family("GPT-2 vocabulary", {"kind": "pretrained", "path": "gpt2"}, data="its files"),
    Family("CLIP vocabulary", {"kind": "pretrained", "path": "clip"}, data="its files"),
    Family("tiktoken", {"kind": "pretrained", "path": "tiktoken"}, data="its file"),
)
_USUAL = {
    "case": "keep", "normalisation": "none", "vocabulary_size": 2000, "max_word_length": 100, "path": None,
    "language": None, "subwords": "none",
}  # fmt: skip


def sentences(table: Path, count: int, language: str) -> list[str]:
    """Return the first sentences of Tatoeba: German ones for German, English ones for all else."""
    found = []
    with gzip.open(table, "rt", encoding="utf-8") as lines:
        for line in lines:
            first, second = line.rstrip("\n").split("\t")[:2]
            found.append(first if language == "de" else second)
            if len(found) == count:
                break
    return found


def measure(options: dict[str, object], texts: list[str]) -> dict[str, Any]:
    """Return what one process finds of one tokenizer."""
    from stageformer.params.base import kinds, parse
    from stageformer.params.tokenize import Tokenize
    from stageformer.text.pair import tokenizer_class

    fields = kinds(Tokenize.model_fields["source"])[str(options["kind"])].model_fields
    source = {name: value for name, value in (_USUAL | options).items() if name in fields}
    if source.get("subwords") == "none":
        source["vocabulary_size"] = None
    params = parse(Tokenize, {"source": source, "target": None}, "tokenize").source
    tokenizer = tokenizer_class(params.kind).train(texts, params)
    tokenizer.encode_batch(texts[:100])  # what is loaded at the first use
    start = time.process_time()
    tokens = tokenizer.encode_batch(texts)
    seconds = time.process_time() - start
    exact = sum(tokenizer.decode(cut) == text for cut, text in zip(tokens, texts, strict=True))
    digest = hashlib.sha256(json.dumps([tokens, tokenizer.learnt]).encode()).hexdigest()
    return {"speed": len(texts) / seconds, "exact": exact / len(texts), "digest": digest}


def _measured(family: Family, options: dict[str, object], table: Path, count: int) -> tuple[str, str, str]:
    """Return speed, exactness and determinism of a family as cells of the table."""
    if family.data == _MODELS or family.data.startswith("Java"):
        return ("not measured",) * 3
    job = json.dumps({"options": options, "table": str(table), "count": count, "language": family.language})
    found = []
    for seed in _SEEDS:
        environment = os.environ | {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        arguments = [sys.executable, "-m", "benchmarks.tokenizers", "--job", job]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StageformerError(f"{family.known_as}: {' '.join(done.stderr.split())[-300:]}")
        found.append(json.loads(done.stdout.splitlines()[-1]))
    speed = float(f"{statistics.median(each['speed'] for each in found):.2g}")
    share = found[0]["exact"]
    exact = "exact" if share == 1 else f"lossy: {100 * share:.1f} % unchanged"
    return f"{speed:,.0f}", exact, "yes" if len({each["digest"] for each in found}) == 1 else "**no**"


def _size(package: str) -> str:
    """Return the version of a package and its size on the disk, without what it needs."""
    files = metadata.files(package) or []
    size = sum(file.size or 0 for file in files)
    return f"{package} {metadata.version(package)}, {max(1, round(size / 2**20)):,} MiB"


def table_of(rows: list[tuple[Family, tuple[str, str, str]]]) -> str:
    """Return the rows in Markdown."""
    head = ("what people call it", "kind", "decoded text", "sentences/s", "same tokens in every process",
            "package, size", "licence", "data", "maintained")  # fmt: skip
    lines = [head, ("---",) * len(head)]
    for family, (speed, exact, same) in rows:
        package = _size(family.package) if family.package else "none"
        lines.append((family.known_as, family.shown, exact, speed, same, package, family.licence, family.data,
                      family.maintained))  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


@command(help=__doc__)
@click.option("--table", type=click.Path(path_type=Path), default=SHARED_DATA / "tatoeba/deu-eng.tsv.gz",
              show_default=True, help="Table of Tatoeba, German and English.")  # fmt: skip
@click.option("--count", type=int, default=5000, show_default=True, help="Sentences.")
@click.option("--nltk-data", type=click.Path(), help="Folder of NLTK data with punkt_tab.")
@click.option("--pretrained", multiple=True, metavar="NAME=PATH", help="Files of bert, gpt2, clip or tiktoken.")
@click.option("--only", help="Families whose name or kind matches this regular expression.")
@click.option("--output", type=click.Path(path_type=Path), help="Document to put the table into.")
@click.option("--job", hidden=True)
def main(
    table: Path, count: int, nltk_data: str | None, pretrained: tuple[str, ...], only: str | None, output: Path | None,
    job: str | None,
) -> None:  # fmt: skip
    """Measure every family, or the one of a job."""
    if job is not None:
        given = json.loads(job)
        texts = sentences(Path(given["table"]), given["count"], given["language"])
        click.echo(json.dumps(measure(given["options"], texts)))
        return
    files = dict(name.split("=", 1) for name in pretrained)
    rows = []
    for family in FAMILIES:
        if only and not re.search(only, f"{family.known_as} {family.shown}"):
            continue
        options = dict(family.options)
        if family.data == _PUNKT:
            options["path"] = nltk_data
        if options["kind"] == "pretrained":
            options["path"] = files.get(str(options["path"]))
        lacks = "path" in options and not options["path"]
        rows.append((family, ("not measured",) * 3 if lacks else _measured(family, options, table, count)))
        click.echo(f"{family.known_as}: {' | '.join(rows[-1][1])}", err=True)
    text = table_of(rows)
    if output is None:
        click.echo(text)
        return
    before, _, rest = output.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    with atomic_file(output) as file:
        file.write(f"{before}{BEGIN}\n{text}\n{END}{after}".encode())


if __name__ == "__main__":
    main()
