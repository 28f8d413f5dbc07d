"""``module:callable``: a function of the user's as a cutter."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import pytest

from stageformer.errors import StageformerError
from stageformer.text.cutters.base import CutterOptions
from stageformer.text.cutting import check_cutter, open_cutter

MODULE = '''
def spaces(text):
    return text.split()

def pairs(text):
    return [(0, 1), [2, 3]]

def lower(text):
    return text.lower().split()

def folded(text):
    return text.lower().split()
folded.lost = "case"

def by_language(text, language):
    return [language]

class Holder:
    @staticmethod
    def cut(text):
        return list(text)

def numbers(text):
    return [1, 2]

def fails(text):
    raise KeyError("x")

constant = 3
'''


@pytest.fixture(autouse=True)
def my_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "my_words.py"
    path.write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return path


def opened(name: str, language: str | None = None):  # type: ignore[no-untyped-def]
    return open_cutter(name, CutterOptions(language))


def test_words_and_spans() -> None:
    assert opened("my_words:spaces").spans("a  bc") == [(0, 1), (3, 5)]
    assert opened("my_words:pairs").spans("a bc") == [(0, 1), (2, 3)]
    assert opened("my_words:pairs").words("a bc") == ["a", "b"]
    assert opened("my_words:Holder.cut").words("ab") == ["a", "b"]
    assert opened("my_words:by_language", "de").words("x de") == ["de"]
    # Of another library: what torchtune, torchtext or one's own need.
    assert opened("nltk.tokenize:wordpunct_tokenize").words("it's") == ["it", "'", "s"]


def test_what_it_changes_must_be_said() -> None:
    with pytest.raises(StageformerError, match=r"found the word 'b', which is not in the text 'a B' there; give the"):
        opened("my_words:lower").spans("a B")
    assert opened("my_words:lower").spans("a b") == [(0, 1), (2, 3)]
    assert opened("my_words:folded").lost == "case"
    assert opened("my_words:folded").words("a B") == ["a", "b"]


def test_the_version_is_that_of_the_package_or_of_the_file(my_words: Path) -> None:
    digest = hashlib.sha256(my_words.read_bytes()).hexdigest()[:16]
    assert opened("my_words:spaces").own_versions() == {"my_words:spaces": digest}
    assert opened("nltk.tokenize:wordpunct_tokenize").own_versions() == {"nltk": metadata.version("nltk")}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_words:", "needed module:callable"),
        ("my words:cut", "needed module:callable"),
        ("my_word_list:cut", "the module my_word_list cannot be imported"),
        ("my_words:space", "there is no 'space' in it (did you mean 'spaces'?)"),
        ("my_words:constant", "found int, which cannot be called"),
    ],
)
def test_what_cannot_be_called_is_refused(name: str, message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        check_cutter(name, CutterOptions())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"), [("my_words:numbers", "returned [1, 2] for the text 'a'"), ("my_words:fails", "KeyError: 'x'")]
)
def test_what_goes_wrong_in_it_is_one_line(name: str, message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        opened(name).spans("a")
    assert message in str(caught.value)
