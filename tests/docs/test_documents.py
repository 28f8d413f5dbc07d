"""What the documents show, runs: their blocks of Python and shell, in order, in a repository with a finished run.

A block that cannot run here says why, in a comment of its own line before it: ``<!-- not run: REASON -->``. The
commands of such blocks, and those within sentences, are at least commands and options that exist.
"""

import gzip
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import click
import pytest

from stageformer.cli import main
from stageformer.experiments.sweep import load_sweep
from stageformer.params.groups import check
from stageformer.params.reading import parse_yaml, read_yaml
from tests.repositories import NUMBERS, THINGS, Repository

ROOT = Path(__file__).parents[2]
FOLDERS = ("", "docs", "corpus", "data", "benchmarks")
DOCUMENTS = tuple(
    sorted(str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))
)
RUN = {
    "README.md", "docs/api.md", "docs/artifacts.md", "docs/experiments.md",
    "docs/tokenizers.md", "docs/using-a-model.md", "docs/walk.md",
}  # fmt: skip
"""the documents with blocks that run; all blocks of the others are marked"""

_FENCE = re.compile(r"^ *(?P<fence>`{3,})(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *(?P=fence)$", re.M | re.S)
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+?) -->\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    language: str
    code: str
    line: int
    """of its first line of code, from 1"""
    not_run: str | None
    """why it is not run; None: it is"""


def blocks(text):
    found = []
    for match in _FENCE.finditer(text):
        reason = _NOT_RUN.search(text[: match.start()])
        line = text.count("\n", 0, match.start("code")) + 1
        found.append(Block(match["language"], dedent(match["code"]), line, reason["reason"] if reason else None))
    return found


@pytest.fixture(scope="module")
def texts():
    return {document: (ROOT / document).read_text(encoding="utf-8") for document in DOCUMENTS}


def add_the_files_of_the_user(repository: Repository) -> None:
    """Commit the files that documents speak of and leave to the reader."""
    pairs = [(f"{number} {thing}", f"{NUMBERS[number]} {THINGS[thing]}") for number in NUMBERS for thing in THINGS]
    # Enough of them for a split by hash to leave none empty.
    pairs += [(f"{first} and {second}", f"{second} {first}") for first, _ in pairs for second in THINGS]
    content = "".join(f"{source}\t{target}\n" for source, target in pairs)
    (repository.root / "corpus/pairs.tsv.gz").write_bytes(gzip.compress(content.encode(), mtime=0))
    lines = {
        "sentences.txt": "one house\ntwo doors\n", "theirs.txt": "ein Haus\nzwei Türen\n",
        "theirs.de": "ein Haus\nzwei Türen\n", "test.de": "ein Haus\nzwei Tore\n",
    }  # fmt: skip
    for name, text in lines.items():
        (repository.root / name).write_text(text, encoding="utf-8")
    repository.commit()


@pytest.mark.parametrize("document", sorted(RUN))
def test_what_a_document_shows_runs(document, texts, finished, tmp_path, monkeypatch, shell):
    repository = finished.copy(tmp_path / "a copy")
    add_the_files_of_the_user(repository)
    monkeypatch.chdir(repository.root)
    names = {"__name__": "__main__"}
    ran = 0
    for block in blocks(texts[document]):
        if block.not_run is not None or block.language not in ("python", "sh"):
            continue
        ran += 1
        if "corpus/pairs.tsv.gz" in block.code:
            # The corpus of the tests names files for valid, which are no TSV; the default, which is meant, names none.
            repository.set(ingest__files__valid=[])
        if block.language == "python":
            # Empty lines before it, so that a traceback names the line of the document.
            exec(compile("\n" * (block.line - 1) + block.code, str(ROOT / document), "exec"), names)
        else:
            run = shell(block.code, repository.root)
            assert run.returncode == 0, f"{document}, line {block.line}: {run.stdout}{run.stderr}"
    assert ran, f"{document} shows nothing that runs"


def test_every_block_runs_or_says_why_not(texts):
    shown = {document: [block for block in blocks(text) if block.language] for document, text in texts.items()}
    assert {block.language for found in shown.values() for block in found} <= {"python", "sh", "mermaid", "yaml"}
    runs = {
        document
        for document, found in shown.items()
        if any(block.not_run is None and block.language in ("python", "sh") for block in found)
    }
    assert runs == RUN
    reasons = [block.not_run for found in shown.values() for block in found if block.not_run]
    assert len(reasons) > 10
    named = {path for reason in reasons for path in re.findall(r"\btests/[\w/.]+\w", reason)}
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_block_of_parameters_is_allowed(texts, tmp_path):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    checked = 0
    for document, text in texts.items():
        for block in blocks(text):
            if block.language == "yaml":
                if "\nseeds: " in block.code:
                    (tmp_path / "sweeps/shown.yaml").write_text(block.code, encoding="utf-8")
                    assert load_sweep("shown", tmp_path).runs
                    continue
                values = read_yaml(ROOT / "recipes/default.yaml")
                lay(parse_yaml(block.code.encode(), f"{document}, line {block.line}"), values)
                check(values)
                checked += 1
    assert checked


def lay(changes, values):
    """Lay parameters over others, in place."""
    for name, value in changes.items():
        if isinstance(value, dict) and "kind" not in value:  # another kind has parameters of its own
            lay(value, values[name])
        else:
            values[name] = value


def test_every_command_exists(texts):
    """Those of blocks that do not run, and of sentences, too: name of the command, and each option."""
    checked = 0
    for document, text in texts.items():
        for words in commands(text):
            if words[0] == "stageformer":
                assert not unknown_parts(main, words[1:]), f"{document}: {' '.join(words)}"
            elif words[:2] == ["python", "-m"] and words[2].partition(".")[0] in ("benchmarks", "stages", "tools"):
                source = (ROOT / words[2].replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
                options = {word for word in words[3:] if word.startswith("--")}
                # Options that the benchmarks share are declared beside them.
                shared = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
                declared = set(re.findall(r"(?<=[\"/])--[a-z][a-z-]*", source + shared))
                assert options <= declared | {"--help"}, f"{document}: {' '.join(words)}"
            elif words[0] == "make":
                targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
                assert len(words) == 1 or words[1] in targets, f"{document}: {' '.join(words)}"
            else:
                continue
            checked += 1
    assert checked > 60


def commands(text):
    """Yield the words of each command in the shell blocks of a document and in the code of its sentences."""
    scripts = [block.code.replace("\\\n", "") for block in blocks(text) if block.language == "sh"]
    lines = [line for script in scripts for line in script.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))
    for line in lines:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # no command, but a piece of another language
            continue
        if words and "NAME" not in line:
            yield words


def unknown_parts(command, words):
    """Return what ``command`` knows neither as a command of its own nor as an option."""
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return [words[0]]
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
    return [word for word in words if word.startswith("--") and word not in known]


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A function that runs shell code as in a terminal with the environment activated; the first failure ends it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc_site_cache"))

    def run(code, root):
        command = ["bash", "-euo", "pipefail", "-c", code]
        return subprocess.run(command, cwd=root, input="one house\n", capture_output=True, text=True, check=False)

    return run


def test_the_blocks_of_a_document_are_found():
    text = "a\n```python\nx = 1\n```\n\n<!-- not run: it takes\nhours -->\n```sh\nmake repro\n```\n```\nprinted\n```\n"
    assert blocks(text) == [
        Block("python", "x = 1\n", 3, None),
        Block("sh", "make repro\n", 9, "it takes\nhours"),
        Block("", "printed\n", 12, None),
    ]


def test_every_file_that_contributors_are_sent_to_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    quoted = re.findall(r"`([\w.*/-]+)`", text)
    named = {path for path in quoted if "/" in path or path.endswith((".md", ".yaml", ".py"))}
    assert len(named) > 20
    made = {"data/check/code"}
    missing = [path for path in named - made if "NAME" not in path and not list(ROOT.glob(path))]
    assert missing == []
    folders = {path.rpartition("/")[0] for path in named if "NAME" in path}
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_no_token_is_taken_for_a_tag():
    """Markdown drops a bare ``<bos>``: it takes it for HTML."""
    allowed = {"details", "summary", "img", "br", "sub", "sup", "p", "a", "div", "kbd"}
    found = []
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        text = re.sub(r"^(`{3,}).*?^\1|<!--.*?-->", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        text = re.sub(r"(`+)[^`].*?\1", "", text, flags=re.DOTALL)
        found += [f"{path.name}: {tag}" for tag in re.findall(r"</?(\w[\w-]*)[^<>]*>", text) if tag not in allowed]
    assert not found
