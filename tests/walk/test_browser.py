import json
import math
import shutil
import subprocess

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 375, "height": 740}
AXE = "axe-core@4.11.0"


@pytest.fixture(scope="module")
def browser(chromium):
    with playwright.sync_playwright() as driver:
        # Chromium's own sandbox does not work where tests run as root.
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, pages):
    """Opens a walk; afterwards it must have asked for nothing but itself and logged nothing."""
    contexts, requests, messages = [], [], []

    def open_page(name, step="", viewport=DESKTOP, **options):
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(f"{(pages / f'{name}.html').as_uri()}#{step}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert messages == []
    # What a page saves is a blob of its own.
    assert {url.split(":")[0] for url in requests} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in requests) == len(contexts)


@pytest.fixture(scope="session")
def axe(made_once):
    """The script of axe-core, which npm fetches."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which fetches axe-core, is not installed")

    def make(folder):
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), AXE]
        subprocess.run(command, check=True, capture_output=True)

    return (made_once("axe", make) / "node_modules/axe-core/axe.min.js").read_text("utf-8")


def shown(value, digits=3):
    """A number as the page writes it."""
    if value == -math.inf:
        return "−∞"
    text = f"{value:.{digits}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")


def numbers(page):
    """Every table of numbers of the screen: its name, and its cells."""
    return page.eval_on_selector_all(
        "table.numbers",
        """tables => tables.map((table) => [table.parentElement.getAttribute("aria-label").replace("Numbers of ", ""),
          [...table.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))])""",
    )


def test_every_step_is_reached_by_keyboard_and_nothing_is_written_twice(visit, walked):
    page = visit("one", "text")
    steps = json.loads(page.locator("#data").text_content())["steps"]
    for number, step in enumerate(steps, start=1):
        assert page.evaluate("location.hash") == f"#{step['id']}"
        assert page.locator("#progress").inner_text() == f"Step {number} of {len(steps)}"
        assert page.locator('#outline [aria-current="step"]').count() == 1
        assert page.locator("#pictures svg, #pictures table, #pictures .said").count() > 0
        page.keyboard.press("ArrowRight")
    assert page.locator("#next").is_disabled()
    assert page.locator(".said").inner_text() == walked.chosen[-1].text
    page.keyboard.press("ArrowLeft")
    assert page.locator("#title").inner_text() == "Chosen"


@pytest.mark.parametrize("name", ["post", "drawn", "bare", "two"])
def test_every_step_of_other_models_is_drawn(visit, name):
    page = visit(name)
    drawn = page.evaluate(
        """data.steps.map((step, index) => [step, index]).filter(([step]) => step.token <= 2).map(([step, index]) => {
          go(index);
          return [step.kind, document.querySelectorAll("#pictures svg, #pictures table, #pictures .said").length]; })"""
    )
    assert [kind for kind, number in drawn if not number] == []
    kinds = {kind for kind, _ in drawn}
    assert ("residual" in kinds) == (name == "post")
    assert ("residual_pre" in kinds) == (name in ("drawn", "two"))
    if name == "drawn":
        page.evaluate("go(data.steps.findIndex((step) => step.id === 'decoder/1/probabilities'))")
        assert "drawn with" in page.locator("#pictures svg").first.get_attribute("aria-label")


def test_the_tour_comes_first_and_is_walked_by_keyboard(visit, walked):
    page = visit("one")
    steps = [step for step in json.loads(page.locator("#data").text_content())["steps"] if step["tour"]]
    for number, step in enumerate(steps, start=1):
        assert page.evaluate("location.hash") == f"#tour/{step['id']}"
        assert page.locator("#progress").inner_text() == f"Tour: {number} of {len(steps)}"
        assert page.locator("#outline .step").count() == len(steps)
        assert page.locator('#outline [aria-current="step"]').count() == 1
        page.keyboard.press("ArrowRight")
    assert page.locator("#next").is_disabled()
    assert page.locator(".said").inner_text() == walked.chosen[-1].text
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("location.hash") == f"#tour/{steps[-2]['id']}"
    page.get_by_role("radio", name="All").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("location.hash") == f"#{steps[-2]['id']}"
    page = visit("one", steps[-2]["id"])
    assert page.locator("#progress").inner_text().startswith("Step ")


def test_a_step_beside_the_tour_leads_back_to_it(visit):
    page = visit("one", "tour/encoder/1/self_attention/scores")
    page.locator('input[name="Layer"]').nth(1).check(force=True)
    assert page.evaluate("location.hash") == "#tour/encoder/2/self_attention/scores"
    assert page.locator("#progress").inner_text().startswith("Beside the tour")
    page.get_by_role("button", name="Next in tour").click()
    assert page.evaluate("location.hash") == "#tour/memory"


def close_to(page, expected, name):
    """The cells of one table are the numbers, to the digits shown, or at most one unit of the last digit away.

    The page rounds float32 in JavaScript, Python does so in double precision: exact halves may fall on either side.
    """
    (cells,) = [cells for title, cells in numbers(page) if title == name]
    assert [len(row) for row in cells] == [expected.shape[1]] * expected.shape[0]
    for row, wanted in zip(cells, expected.tolist(), strict=True):
        assert row == [shown(value) for value in wanted]


@pytest.mark.parametrize("layer", [1, 2])
def test_the_numbers_are_those_of_the_attention_trace(visit, translator, walked, layer):
    import torch

    module = translator.model.encoder.layers[layer - 1]
    source = torch.tensor([[entry["id"] for entry in walked.source_entries]])
    x = translator.model.encoder.embedding(source)
    for before in translator.model.encoder.layers[: layer - 1]:
        x = before(x)
    sublayer = module.self_attention_sublayer
    trace = module.self_attention.trace(sublayer.norm(x) if sublayer.pre_norm else x)
    page = visit("one", f"encoder/{layer}/self_attention/projections")
    page.get_by_role("button", name="Numbers as tables").click()
    for head in range(1, trace.query.size(1) + 1):
        page.evaluate(f"chooseHead({head - 1})")
        for name, matrix in (("Q", trace.query), ("K", trace.key), ("V", trace.value)):
            close_to(page, matrix[0, head - 1], f"{name} of head {head}")
    page.evaluate("chooseHead(1)")
    page.keyboard.press("ArrowRight")
    close_to(page, trace.scores[0, 1], "Scores of head 2")
    page.keyboard.press("ArrowRight")
    close_to(page, trace.weights[0, 1], "Softmax of head 2")
    page.keyboard.press("ArrowRight")
    close_to(page, trace.heads[0, 1], "Answer of head 2")
    page.keyboard.press("ArrowRight")
    close_to(page, trace.output[0], "Output")


@pytest.mark.parametrize(
    ("step", "names"),
    [
        (
            "self_attention/projections",
            {f"W^{part[0].upper()} of head 2": f"projection.{part}" for part in ("query", "key", "value")},
        ),
        ("self_attention/output", {"W^O": "out_projection"}),
        ("feed_forward/feed_forward", {"W_1": "inner", "W_2": "outer"}),
    ],
)
def test_the_learned_matrices_are_shown_to_four_digits(visit, walked, step, names):
    page = visit("one", f"encoder/2/{step}")
    page.evaluate("chooseHead(1)")
    page.get_by_role("button", name="Numbers as tables").click()
    shown_tables = dict(numbers(page))
    for title, name in names.items():
        weight = walked.weights[f"encoder.2.{step.split('/')[0]}.{name}"]
        matrix = weight[1] if "head" in title else weight
        assert shown_tables[title] == [[shown(value, 4) for value in row] for row in matrix.tolist()]


def test_what_is_left_out_is_said_where_it_belongs(browser, translator, walked, tmp_path, monkeypatch):
    from stageformer.walk import page as page_module

    monkeypatch.setattr(page_module, "MOST_BYTES", len(page_module._page([walked], ["attention"])))
    assert page_module.write_walk([walked], tmp_path / "small.html") == ["mixing", "feed_forward"]
    page = browser.new_page(viewport=DESKTOP)
    address = (tmp_path / "small.html").as_uri()
    advised = {}
    for step, said in (("self_attention/output", "WO is"), ("feed_forward/feed_forward", "W1 and W2 are")):
        page.goto(f"{address}#encoder/1/{step}")
        note = page.locator(".left-out").text_content()
        assert note.startswith(f"{said} not on this page: with every learned matrix it would have ")
        advised[step] = page.locator(".left-out code").all_inner_texts()[1:]
    # The Python that it advises gives the matrices.
    weights = {
        step: [eval(one, {"model": translator.model}) for one in code]
        for step, code in advised.items()
    }
    names = {"self_attention/output": ["out_projection"], "feed_forward/feed_forward": ["inner", "outer"]}
    for step, found in weights.items():
        for name, weight in zip(names[step], found, strict=True):
            assert (walked.weights[f"encoder.1.{step.split('/')[0]}.{name}"] == weight.detach().numpy().T).all()
    page.goto(f"{address}#encoder/1/self_attention/projections")
    assert page.locator(".left-out").count() == 0
    page.close()


def test_the_head_is_framed_where_heads_are_side_by_side(visit):
    page = visit("one", "encoder/1/self_attention/output")
    frames = []
    for head in (1, 2):
        page.locator('input[name="Head"]').nth(head - 1).check(force=True)
        assert page.get_by_text(f"All heads side by side, head {head} framed").first.is_visible()
        frames.append(page.locator("#pictures .matrix").first.inner_html())
    assert frames[0] != frames[1]


@pytest.mark.parametrize("viewport", [DESKTOP, {"width": 1280, "height": 860}, {"width": 390, "height": 840}])
@pytest.mark.parametrize("kind", ["scores", "softmax", "heads", "output", "projections"])
def test_labels_do_not_touch(visit, viewport, kind):
    page = visit("strange", f"encoder/1/self_attention/{kind}", viewport=viewport)
    # Labels at the left are compared by their boxes; the turned ones by the distance of their lines.
    touching = page.evaluate(
        """[...document.querySelectorAll("#pictures svg")].flatMap((svg) => {
          const labels = [...svg.querySelectorAll("[data-label]")];
          const rows = labels.filter((one) => !one.hasAttribute("transform"));
          const turned = labels.filter((one) => one.hasAttribute("transform"));
          const pairs = (list) => list.slice(1).map((one, at) => [list[at], one]);
          const place = (one, name) => Number(one.getAttribute(name));
          return [
            ...pairs(rows).filter(([a, b]) => place(b, "y") - place(a, "y") < place(a, "font-size")),
            ...pairs(turned).filter(([a, b]) =>
              (place(b, "x") - place(a, "x")) * Math.sin(48 * Math.PI / 180) < place(a, "font-size")),
          ].map(([a, b]) => `${a.textContent} ${b.textContent}`); })"""
    )
    assert page.locator("#pictures [data-label]").count() > 20
    assert touching == []


def test_unknown_characters_and_controls_of_direction_are_told(visit):
    page = visit("strange", "ids")
    assert page.locator(".given").inner_text().startswith("two ")
    assert "\u9580" in page.locator(".unknown b").all_inner_texts()
    assert page.get_by_role("cell", name="\u9580 → <unk>").is_visible()
    for element in ("h1", ".given", "#outline", "title"):
        assert "\u202e" not in page.locator(element).first.text_content()
    assert "\\u202e" in page.locator("h1").text_content()


def test_each_of_two_models_is_described_as_it_was_searched(visit):
    page = visit("differ", "decoder/1/probabilities")
    texts = page.locator("#text p").all_inner_texts()
    assert [text.split()[0] for text in texts] == ["A", "B"]
    assert "Beam search" in texts[0]
    assert "Greedy search" in texts[1]
    files = page.locator("#details .file").all_inner_texts()
    assert any("beam.py" in file for file in files)
    assert any("greedy.py" in file for file in files)


def test_code_is_cut_between_words_alone(visit):
    page = visit("one", "encoder/1/self_attention/projections", viewport={"width": 1280, "height": 860})
    for step in ("encoder/1/self_attention/softmax", "decoder/1/probabilities", "embedding"):
        page.evaluate(f"go(data.steps.findIndex((step) => step.id === '{step}'))")
        # The text of each drawn line ends where a word does.
        broken = page.evaluate(
            """[...document.querySelectorAll("pre .line")].flatMap((line) => {
              const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT); const cuts = []; let before = null;
              while (walker.nextNode()) { const text = walker.currentNode;
                for (let at = 0; at < text.length; at++) {
                  const range = document.createRange();
                  range.setStart(text, at);
                  range.setEnd(text, at + 1);
                  const box = range.getBoundingClientRect(); if (!box.width) continue;
                  if (before && box.top > before.top + 4) cuts.push(before.character + text.data[at]);
                  before = { top: box.top, character: text.data[at] }; } }
              return cuts; })"""
        )
        assert [cut for cut in broken if cut.replace("_", "a").isalnum()] == []


def test_the_decoder_shows_what_it_has_read_so_far(visit, walked):
    import torch

    page = visit("one", "decoder/3/1/self_attention/scores_masked")
    page.get_by_role("button", name="Numbers as tables").click()
    scores = torch.from_numpy(walked.arrays["decoder.1.self_attention.scores"])[0, :3, :3]
    assert scores.isinf().sum() == 3
    close_to(page, scores, "Scores of head 1")
    page = visit("one", "decoder/1/read")
    assert page.get_by_text("[1, 1]", exact=True).first.is_visible()


def test_the_logits_are_those_of_the_model(visit, walked):
    page = visit("one", "decoder/2/logits")
    label = page.locator("#pictures svg[role=img]").get_attribute("aria-label")
    chosen = walked.chosen[1]
    expected = [
        f"{one.token}, id {one.id}: {shown(one.logit)}" + (", chosen" if one.id == chosen.id else "")
        for one in chosen.candidates
    ]
    assert label == "; ".join(expected)


def test_a_cell_says_its_number_and_what_made_it(visit, walked):
    page = visit("one", "encoder/1/self_attention/scores")
    matrix = page.get_by_role("application", name="Scores of head 1")
    matrix.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    value = walked.arrays["encoder.1.self_attention.scores"][0, 1, 2]
    tip = page.get_by_role("status").inner_text()
    assert shown(float(value), 4) in tip
    tokens = [entry["token"] for entry in walked.source_entries]
    d_k = walked.arrays["encoder.1.self_attention.query"].shape[2]
    assert f"query of {tokens[1]} · key of {tokens[2]} / √{d_k}" in tip
    assert page.locator(".mark").count() == 3, "the cell, the row of Q and the row of K"
    page.evaluate("go(state.index - 1)")
    page.get_by_role("application", name="Q of head 1,").and_(page.locator("[aria-label^=Q]")).focus()
    page.keyboard.press("ArrowRight")
    assert "column 1 of WQ" in page.get_by_role("status").inner_text()
    page.get_by_role("application", name="W^Q of head 1").focus()
    page.keyboard.press("ArrowRight")
    assert " row 1, column 1" in page.get_by_role("status").inner_text()
    page.get_by_role("application", name="Q of head 1,").and_(page.locator("[aria-label^=Q]")).focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".mark").count() == 3, "the cell, the row of x and the column of W^Q"
    page.evaluate("go(state.index + 1)")
    matrix.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert page.get_by_role("status").count() == 0
    matrix.hover(position={"x": 250, "y": 250})
    assert page.get_by_role("status").is_visible()


def test_a_finger_shows_a_cell_until_the_next_touch(visit):
    page = visit("one", "encoder/1/self_attention/softmax", viewport=PHONE, has_touch=True)
    matrix = page.get_by_role("application", name="Softmax of head 1")
    matrix.tap(position={"x": 150, "y": 150})
    assert page.get_by_role("status").is_visible()
    page.locator("#title").tap()
    assert page.get_by_role("status").count() == 0


def test_layer_and_head_are_chosen_by_keyboard(visit):
    page = visit("one", "encoder/1/self_attention/softmax")
    page.locator('input[name="Layer"]').first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("location.hash") == "#encoder/2/self_attention/softmax"
    page.locator('input[name="Head"]').first.focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_text("Softmax of head 2").first.is_visible()
    assert page.get_by_role("button", name="Head 2").get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowRight")
    assert page.get_by_text("Softmax of head 3").first.is_visible()


def test_pictures_are_saved_as_svg(visit, tmp_path):
    from xml.etree import ElementTree

    page = visit("one", "encoder/1/self_attention/softmax")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").click()
    assert download.value.suggested_filename == "walk-encoder-1-self_attention-softmax.svg"
    download.value.save_as(tmp_path / "saved.svg")
    root = ElementTree.parse(tmp_path / "saved.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("Softmax of head 1" in (text or "") for text in texts)
    assert "class=" not in (tmp_path / "saved.svg").read_text("utf-8"), "it stands alone"


def test_two_models_are_side_by_side_and_the_bare_one_says_what_it_lacks(visit):
    page = visit("two", "encoder/1/self_attention/softmax")
    boxes = [section.bounding_box() for section in page.locator("#pictures .model").all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    page = visit("two", "encoder/1/feed_forward/feed_forward")
    assert page.get_by_text("This model has no such step.").is_visible()


@pytest.mark.parametrize("step", ["text", "encoder/1/self_attention/projections", "decoder/2/read", "decoder/2/chosen"])
def test_fits_a_phone(visit, step):
    page = visit("two", step, viewport=PHONE, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("step", ["", "ids", "encoder/1/self_attention/softmax"])
def test_a_long_word_goes_on_in_the_next_line(visit, step):
    page = visit("long", step, viewport=PHONE, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_is_painted_within_a_second(visit):
    page = visit("one")
    painted = page.evaluate(
        """new Promise((found) => new PerformanceObserver((list) => found(
          list.getEntriesByName("first-contentful-paint")[0].startTime)).observe({ type: "paint", buffered: true }))"""
    )
    assert painted < 1000


STEPS = [
    "text", "ids", "embedding", "positions", "encoder/1/self_attention/projections", "encoder/1/self_attention/scores",
    "encoder/1/self_attention/softmax", "encoder/1/self_attention/residual_pre", "encoder/1/feed_forward/feed_forward",
    "memory", "decoder/2/read", "decoder/2/1/cross_attention/softmax", "decoder/2/logits", "decoder/2/probabilities",
    "decoder/2/chosen", "result",
]  # fmt: skip


@pytest.mark.parametrize(("name", "scheme"), [("one", "light"), ("two", "dark")])
def test_axe_finds_nothing_serious(browser, pages, axe, scheme, name):
    # The page lets no other script run; axe comes past that.
    context = browser.new_context(viewport=DESKTOP, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{(pages / f'{name}.html').as_uri()}#text")
    page.add_script_tag(content=axe)
    for step in STEPS:
        page.evaluate(f"go(data.steps.findIndex((step) => step.id === {json.dumps(step)}))")
        assert page.evaluate("location.hash") == f"#{step}"
        found = page.evaluate("axe.run()")
        bad = [
            (issue["id"], issue["impact"], [node["html"] for node in issue["nodes"]][:2])
            for issue in found["violations"]
            if issue["impact"] in ("serious", "critical")
        ]
        assert bad == [], step
        assert len(found["passes"]) > 15
    context.close()
