"""`dvc plots show` in a browser without network: everything is drawn, what matters first, corpus text is text."""

import subprocess
import sys

import pytest

from stageformer.artifacts.csv_files import write_csv
from tools.plot_page import main

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

FIRST = ["Loss__decoder_training", "Loss__encoder_training", "reports_evaluate_learning_curves_csv"]
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def shown(repository, browser_without_network):
    """A function that makes the page of `dvc plots show` and opens it; it returns the page and what was logged."""

    def open_page(*options):
        repository.dvc("plots", "show", *options)
        page = browser_without_network.new_page()
        messages = []
        page.on("console", lambda message: message.type == "error" and messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto((repository.root / "dvc_plots/index.html").as_uri())
        return page, messages

    return open_page


@pytest.fixture(scope="module")
def browser_without_network(chromium):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_context(offline=True)
        browser.close()


def make_offline_page(repository):
    subprocess.run([sys.executable, "-m", "tools.plot_page"], cwd=repository.root, check=True, capture_output=True)


def test_every_plot_is_drawn_without_network(repository, shown):
    make_offline_page(repository)
    assert repository.git("status", "--porcelain") == ""
    path = repository.root / "reports/evaluate/embedding.csv"
    write_csv(path, ("side", "token", "count", "x", "y"), [("shared", HOSTILE, 9, 0.5, 0.5), ("shared", "b", 4, 1, 1)])
    page, messages = shown()
    text = (repository.root / "dvc_plots/index.html").read_text()
    # The stages of heads have not run: DVC has no figures for their plots.
    plots = text.count("vegaEmbed('#") - text.count("var spec = {};")
    assert plots >= 20
    page.wait_for_function(f"document.querySelectorAll('#plots svg.marks').length === {plots}")
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 100)")
    assert page.evaluate("[...document.querySelectorAll('#plots > div')].map((plot) => plot.id)")[:3] == FIRST
    assert page.locator("#plots > div:not(:has(svg.marks, img))").count() == 0
    assert not page.locator("#missing").is_visible()
    assert messages == []
    texts = page.locator("#reports_evaluate_embedding_csv svg text").all_text_contents()
    assert HOSTILE.replace("<", "\uff1c") in texts
    assert page.locator("img[onerror]").count() == 0


def test_a_clone_that_is_not_set_up_says_what_to_do(shown):
    page, _ = shown()
    assert "make setup" in page.locator("#missing").inner_text()
    assert page.locator("#missing").is_visible()


def test_a_missing_package_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "error: the package vl_convert is not installed; run `pip install 'stageformer[pipeline]'`\n"
    )
