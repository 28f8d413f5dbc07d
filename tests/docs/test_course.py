"""The chapters of ``docs/course/`` run from top to bottom, as notebooks, in a repository with a finished run."""

import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

jupytext = pytest.importorskip("jupytext", reason="jupytext is not installed")
matplotlib.use("agg")

COURSE = Path(__file__).parents[2] / "docs/course"
CHAPTERS = sorted(path.name for path in COURSE.glob("[0-9]*.md"))


def cells(name):
    return jupytext.read(COURSE / name).cells


def is_answer(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


@pytest.fixture(scope="module")
def course(finished, tmp_path_factory):
    """A copy of the repository without the committed pictures, so that those found are of this run."""
    repository = finished.copy(tmp_path_factory.mktemp("course") / "a copy")
    for picture in (repository.root / "docs/course/pictures").glob("*"):
        picture.unlink()
    return repository.root


def run(name, code, names):
    exec(compile(code, f"docs/course/{name}", "exec"), names)


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_runs_and_its_mistakes_are_as_it_says(name, course, monkeypatch):
    monkeypatch.chdir(course / "docs/course")
    names, pictures, mistakes = {"__name__": "__main__"}, set(), 0
    found = cells(name)
    for place, cell in enumerate(found):
        if cell.cell_type != "code":
            pictures |= set(re.findall(r"!\[[^]]+\]\(([^)]+)\)", cell.source))
        elif "raises-exception" in cell.metadata.get("tags", []):
            with pytest.raises(Exception) as raised:
                run(name, cell.source, names)
            shown = re.search(r"```text\n(.*?)\n```", found[place + 1].source, re.DOTALL)
            assert f"{type(raised.value).__name__}: {raised.value}" == shown[1]
            mistakes += 1
        else:
            run(name, cell.source, names)
    assert mistakes >= 1
    whole = (COURSE / name).read_text("utf-8")
    assert len(re.findall(r"^\*\*", whole.partition("## What goes wrong here")[2], re.MULTILINE)) >= 2
    (picture,) = pictures
    made = (course / "docs/course" / picture).read_bytes()
    assert made.startswith(b"\x89PNG")
    assert len(made) > 1500
    plt.close("all")
    assert (COURSE / picture).read_bytes().startswith(b"\x89PNG"), "the page shows one, too"


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_check_of_an_exercise_fails_without_an_answer(name, course, monkeypatch):
    monkeypatch.chdir(course / "docs/course")
    names = {"__name__": "__main__"}
    found = [cell for cell in cells(name) if cell.cell_type == "code"]
    (answer,) = [place for place, cell in enumerate(found) if is_answer(cell)]
    assert found[answer - 1].source.endswith("answer = ...")
    for cell in found[:answer]:
        run(name, cell.source, names)
    with pytest.raises((AssertionError, TypeError, ValueError)):
        run(name, found[answer + 1].source, names)


def test_every_question_has_a_chapter():
    first = (COURSE / "00-start.md").read_text("utf-8")
    linked = re.findall(r"^\| .*\?.* \| \[.+\]\((.+)\) \|$|^\| Show .* \| \[.+\]\((.+)\) \|$", first, re.MULTILINE)
    assert [one or other for one, other in linked] == CHAPTERS[1:]
    overview = (COURSE / "README.md").read_text("utf-8")
    assert re.findall(r"\((\d.+?\.md)\)", overview) == CHAPTERS
