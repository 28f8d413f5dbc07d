"""The site of the documents: it is built without a warning, and read without a network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="mkdocs-material is not installed")

ROOT = Path(__file__).parents[2]


def build(root, site):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    paths = os.pathsep.join([str(root), str(ROOT / "src")])
    environment = os.environ | {"PYTHONPATH": paths, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    run = build(ROOT, folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_every_document_is_a_page(site):
    documents = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert len(documents) > 20
    names = {"README": "index"}
    pages = [path.with_name(f"{names.get(path.stem, path.stem)}.html") for path in documents]
    assert [page for page in pages if not (site / page).is_file()] == []
    for page in ("index", "contributing", "security", "changelog", "reference"):
        assert (site / f"{page}.html").is_file()
    reference = (site / "reference.html").read_text("utf-8")
    assert all(f'id="{name}"' in reference for name in ("translator", "greedy_decode", "multiheadattention"))
    assert ":class:" not in re.sub(r"<pre.*?</pre>", "", reference, flags=re.DOTALL)


def test_the_menu_names_every_chapter():
    menu = (ROOT / "mkdocs.yml").read_text("utf-8")
    chapters = sorted(path.name for path in (ROOT / "docs/course").glob("*.md"))
    assert re.findall(r"- course/(.+\.md)", menu) == sorted(chapters, key=lambda name: (name != "README.md", name))


def test_no_page_loads_anything_from_elsewhere(site):
    loading = re.compile(r"""<(?:script|img|iframe)[^>]+src=["']?(https?:|//)|<link[^>]+href=["']?(https?:|//)""")
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    assert [page.name for page in pages if loading.search(page.read_text("utf-8"))] == []


def test_cells_of_notebooks_are_code_and_answers_are_hidden(site):
    page = (site / "course/08-masks.html").read_text("utf-8")
    assert "source_hidden" not in page
    assert "raises-exception" not in page
    assert re.search(r"<details>\s*<summary>Answer</summary>\s*<div", page)


def test_the_search_finds_without_network(site, chromium):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    requests, messages = [], []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.goto((site / "course/08-masks.html").as_uri())
        page.locator(".md-search__input").wait_for(state="attached")
        page.keyboard.press("/")
        page.keyboard.type("tgt_mask")
        page.locator(".md-search-result__item").first.wait_for(state="visible")
        assert "tgt_mask" in page.locator(".md-search-result__list").inner_text()
        browser.close()
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    assert messages == []


@pytest.mark.parametrize("dead", ["[x](nowhere.md)", "[x](faq.md#no-such-question)", "[x](../src/nowhere.py)"])
def test_a_dead_link_is_an_error(dead, tmp_path):
    root = tmp_path / "repository"
    for name in ("docs", "tools"):
        shutil.copytree(ROOT / name, root / name)
    for path in (*ROOT.glob("*.md"), ROOT / "mkdocs.yml", *ROOT.glob("LICENSE")):
        shutil.copy(path, root)
    (root / "docs/api.md").write_text(f"# Dead\n\n{dead}\n", encoding="utf-8")
    run = build(root, tmp_path / "site")
    assert run.returncode != 0
    assert "api.md" in run.stdout + run.stderr


def test_the_workflow_builds_what_make_docs_builds():
    workflow = (ROOT / ".github/workflows/site.yml").read_text("utf-8")
    assert "make docs" in workflow
    assert "path: site" in workflow
