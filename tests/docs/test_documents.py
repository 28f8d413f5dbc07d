"""What the documents show, runs: their blocks of Python and shell, in order, in a repository with a finished run.

A block that cannot run here says why, in a comment of its own line before it: ``<!-- not run: REASON -->``.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("docs/api.md",)

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
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
        found.append(Block(match["language"], match["code"], line, reason["reason"] if reason else None))
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_shows_runs(document, finished, tmp_path, monkeypatch, shell):
    repository = finished.copy(tmp_path / "a copy")
    monkeypatch.chdir(repository.root)
    names = {"__name__": "__main__"}
    ran = 0
    for block in blocks((ROOT / document).read_text(encoding="utf-8")):
        if block.not_run is not None or block.language not in ("python", "sh"):
            continue
        ran += 1
        if block.language == "python":
            # Empty lines before it, so that a traceback names the line of the document.
            exec(compile("\n" * (block.line - 1) + block.code, str(ROOT / document), "exec"), names)
        else:
            run = shell(block.code, repository.root)
            assert run.returncode == 0, f"{document}, line {block.line}: {run.stdout}{run.stderr}"
    assert ran, f"{document} shows nothing that runs"


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A function that runs shell code as in a terminal with the environment activated; the first failure ends it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc_site_cache"))

    def run(code, root):
        command = ["bash", "-euo", "pipefail", "-c", code]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

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
