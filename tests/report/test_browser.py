import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

FIRST = "#translation-table tbody tr:first-child td"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}


@pytest.fixture(scope="module")
def browser(chromium):
    with playwright.sync_playwright() as driver:
        # Chromium's own sandbox does not work where tests run as root.
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, pages):
    """Opens a report; afterwards it must have asked for nothing but itself and logged nothing."""
    contexts, requests, messages = [], [], []

    def open_page(name, viewport=DESKTOP, **options):
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url.split(",")[0]))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto((pages / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert messages == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data"}
    assert sum(url.startswith("file:") for url in requests) == len(contexts)


def column(page, label):
    return page.locator(f'#translation-table td[data-label="{label}"]').all_inner_texts()


def sort_by(page, label):
    page.get_by_role("button", name=label, exact=True).click()


def as_numbers(texts):
    return [float(text.replace("−", "-").replace("±", "")) for text in texts]


def test_renders(visit):
    page = visit("one")
    assert page.title() == "./one – Stageformer report"
    assert "Translations" in page.get_by_role("navigation").inner_text()
    assert page.get_by_role("heading", level=1).inner_text() == "en → de"
    assert page.locator("#translation-table tbody tr").count() == 25
    assert page.locator(".graph").bounding_box()["height"] > 200
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth === 8)")
    # What the script draws is what was there before it ran.
    plain = visit("one", java_script_enabled=False)
    words = "rows => rows.map(row => row.innerText.split(/\\s+/).join(' '))"
    rows = "#translation-table tbody tr"
    assert page.eval_on_selector_all(rows, words) == plain.locator(rows).evaluate_all(words)
    assert plain.get_by_text("need JavaScript").is_visible()
    assert not page.get_by_text("need JavaScript").is_visible()
    assert not plain.locator("#controls").is_visible()


@pytest.mark.parametrize(("label", "index"), [("BLEU", "bleu"), ("chrF", "chrf"), ("Model score", "score")])
def test_sorts_numbers_from_the_best_down_and_then_up(visit, label, index):
    from tests.report.conftest import translations

    page = visit("one")
    values = translations()[index]
    sort_by(page, label)
    digits = 2 if label == "Model score" else 1
    descending = [round(value, digits) for value in sorted(values, reverse=True)]
    assert as_numbers(column(page, label)) == descending[:25]
    head = page.locator("#translation-table th", has_text=label)
    assert head.get_attribute("aria-sort") == "descending"
    page.locator("#next").click()
    assert as_numbers(column(page, label)) == descending[25:50]
    sort_by(page, label)
    assert head.get_attribute("aria-sort") == "ascending"
    assert as_numbers(column(page, label)) == descending[::-1][:25]
    assert page.locator("#translation-table [aria-sort]").count() == 1


def test_sorts_texts_as_the_language_does_and_goes_back_to_the_order_of_the_table(visit):
    page = visit("one")
    before = column(page, "No.")
    sort_by(page, "Translation")
    texts = [text.removesuffix(" exact") for text in column(page, "Translation")]
    # All "Referenz ..." come before "Übersetzung ...": Ü is a kind of U to a German, not behind Z.
    assert texts[:6] == [f"Referenz {row}" for row in (13, 23, 3, 33, 43, 53)]
    assert column(page, "No.") != before
    sort_by(page, "No.")
    assert column(page, "No.") == before


def test_filters(visit):
    page = visit("one")
    page.locator("#filter").fill("VERWEIS 25")
    assert column(page, "No.") == ["1025"]
    assert page.locator("#status").inner_text() == "1–1 of 1 sentences"
    page.locator("#filter").fill("no such words")
    assert page.locator("#status").inner_text() == "No sentence fits"
    page.locator("#filter").fill("")
    page.locator("#show").select_option("exact")
    assert column(page, "No.") == ["1003", "1013", "1023", "1033", "1043", "1053"]
    assert all("exact" in text for text in column(page, "Translation"))
    page.locator("#show").select_option("inexact")
    assert page.locator("#status").inner_text() == "1–25 of 54 sentences"


def test_pages(visit):
    page = visit("one")
    assert page.locator("#previous").is_disabled()
    page.locator("#next").click()
    page.locator("#next").click()
    assert column(page, "No.") == [str(1000 + row) for row in range(50, 60)]
    assert page.locator("#next").is_disabled()
    assert page.locator("#status").inner_text() == "51–60 of 60 sentences"


def test_hostile_text_is_shown(visit):
    from tests.report.conftest import HOSTILE

    page = visit("one")
    assert page.locator(FIRST).nth(1).inner_text() == HOSTILE
    assert page.locator("img[onerror]").count() == 0


def test_works_by_keyboard(visit):
    page = visit("one")
    page.get_by_role("button", name="chrF", exact=True).focus()
    page.keyboard.press("Enter")
    assert column(page, "chrF")[0] == "58.0"
    page.get_by_role("button", name="Enlarge: Positions").focus()
    page.keyboard.press("Enter")
    assert page.locator("#enlarged").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#enlarged").is_visible()


@pytest.mark.parametrize("name", ["one", "two"])
def test_fits_a_phone(visit, name):
    page = visit(name, viewport=PHONE)
    page.get_by_text("All parameters").click()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_dark_and_light_differ_and_can_be_read(visit):
    colours = {}
    for scheme in ("light", "dark"):
        page = visit("two", color_scheme=scheme)
        colours[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        ratios = page.evaluate(CONTRASTS)
        assert min(ratios.values()) >= 4.5, ratios
    assert colours["light"] != colours["dark"]


CONTRASTS = """() => {
  const style = getComputedStyle(document.documentElement);
  const luminance = (name) => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  for (const paper of ["--paper", "--raised"]) {
    for (const ink of ["--ink", "--soft", "--accent"]) found[ink + paper] = [luminance(ink), luminance(paper)];
  }
  for (const ink of ["--a", "--b"]) found[ink] = [luminance(ink), luminance("--paper")];
  return Object.fromEntries(Object.entries(found).map(
    ([name, [one, other]]) => [name, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)]));
}"""


def test_two_experiments(visit):
    page = visit("two")
    assert page.get_by_text("+1.31 maybe chance").is_visible()
    assert page.locator(".graph .marked .name").all_text_contents() == ["train"]
    sort_by(page, "BLEU B − A")
    gains = as_numbers(column(page, "BLEU B − A"))
    assert gains == sorted(gains, reverse=True)
    assert column(page, "BLEU B − A")[0] == "+1.5"
    sort_by(page, "BLEU B − A")
    assert column(page, "BLEU B − A")[0] == "±0"
    page.locator("#show").select_option("differ")
    assert page.locator("#status").inner_text() == "No sentence fits"
