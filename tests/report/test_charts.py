from xml.etree import ElementTree

import pytest

from stageformer.experiments.experiment import Experiment
from stageformer.report.analysis import data_charts, learning_curves, score_charts
from stageformer.report.charts import Axis, BarChart, LineChart, Section, Series, axis_for, draw_bars, draw_lines
from tests.report.conftest import make_run


def points(svg, css_class):
    """The corners of the lines of a class, as numbers."""
    paths = [path.get("d") for path in ElementTree.fromstring(svg).iter("path") if path.get("class") == css_class]
    return [[tuple(map(float, corner.split())) for corner in path.lstrip("M").split("L")] for path in paths]


@pytest.mark.parametrize(("low", "high", "ticks"), [
    (0, 50, [0, 10, 20, 30, 40, 50]), (2.5, 6.7, [3, 4, 5, 6]), (0, 0.0031, [0, 0.001, 0.002, 0.003]),
    (-3, 3, [-2, 0, 2]),
])
def test_linear_ticks_are_round_numbers_within_the_axis(low, high, ticks):
    assert [value for value, _ in Axis(low, high, 0, 100).ticks()] == pytest.approx(ticks)


@pytest.mark.parametrize(("low", "high", "ticks"), [
    (9.5, 260, [10, 20, 50, 100, 200]), (1, 12000, [1, 10, 100, 1000, 10000]),
])
def test_logarithmic_ticks(low, high, ticks):
    axis = Axis(low, high, 0, 100, is_log=True)
    assert [value for value, _ in axis.ticks()] == pytest.approx(ticks)


def test_logarithmic_axis_puts_equal_ratios_at_equal_distances():
    axis = Axis(1, 100, 40, 240, is_log=True)
    assert [axis.place(value) for value in (1, 10, 100)] == pytest.approx([40, 140, 240])


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [-2.0, -2.0]])
@pytest.mark.parametrize("from_zero", [True, False])
def test_an_axis_of_equal_values_has_a_length(values, from_zero):
    axis = axis_for(values, 0, 100, from_zero=from_zero)
    assert axis.low <= min(values) <= max(values) <= axis.high
    assert axis.low < axis.high
    assert axis.ticks()


def test_lines_go_through_the_values():
    series = Series("one", "a", [[(0, 1), (10, 3)], [(20, 2), (40, 1)]])
    drawn = draw_lines(LineChart("Title", "x", "y", [series]))
    (first, second) = points(drawn.svg, "line a")
    # In the middle between two heights is the value in the middle; x grows to the right, y upwards.
    assert second[0][1] == pytest.approx((first[0][1] + first[1][1]) / 2, abs=0.11)
    assert first[1][1] < first[0][1] == second[1][1]
    assert first[1][0] - first[0][0] == pytest.approx((second[1][0] - second[0][0]) / 2, abs=0.11)


def test_sections_have_origins_of_their_own():
    sections = [Section("first", 0, 100), Section("second", 100, 300)]
    series = Series("one", "a", [[(100, 1)], [(300, 2)]])
    drawn = draw_lines(LineChart("Title", "updates", "y", [series], sections=sections))
    root = ElementTree.fromstring(drawn.svg)
    assert [title.text for title in root.iter("title")] == ["one, updates 100: 1", "one, updates 200: 2"]
    assert [text.text for text in root.iter("text") if "section" in text.get("class")] == ["first", "second"]


def test_bars_are_as_high_as_their_values():
    chart = BarChart("Title", "x", "y", [("1", "10"), ("2", "5")], [("A", "a", [40.0, 10.0]), ("B", "b", [None, 20.0])])
    root = ElementTree.fromstring(draw_bars(chart).svg)
    heights = [float(bar.get("height")) for bar in root.iter("rect")]
    assert heights[0] == pytest.approx(4 * heights[1], rel=1e-3) == pytest.approx(2 * heights[2], rel=1e-3)
    lefts = [float(bar.get("x")) for bar in root.iter("rect")]
    assert lefts == sorted(lefts)


def test_text_in_a_chart_is_escaped():
    drawn = draw_lines(LineChart("<b>&\"", "<x>", "y", [Series("</svg>", "a", [[(0, 1)]])]))
    assert "<b>" not in drawn.svg
    assert drawn.svg.count("</svg>") == 1
    assert ElementTree.fromstring(drawn.svg).get("aria-label").startswith('<b>&".')


@pytest.fixture
def two(runs):
    return [Experiment.open(f"./{name}", runs) for name in ("one", "two")]


def test_decoder_curves_start_where_those_of_the_encoder_end(two):
    loss, perplexity = learning_curves(two[:1])
    assert [entry[:2] for entry in loss.legend] == [("train", "a dashed"), ("valid", "a")]
    encoder, decoder = points(perplexity.svg, "line a")
    assert encoder[-1][0] < decoder[0][0]
    # 200 updates further, as far as two points of one curve are apart.
    assert decoder[0][0] - encoder[-1][0] == pytest.approx(encoder[1][0] - encoder[0][0], abs=0.15)


def test_two_experiments_have_looks_of_their_own(two):
    loss, _ = learning_curves(two)
    assert [entry[:2] for entry in loss.legend] == [
        ("A, train", "a under dashed"), ("A, valid", "a under"), ("B, train", "b dashed"), ("B, valid", "b"),
    ]


def test_an_encoder_that_was_not_trained_has_no_section(tmp_path):
    root = make_run(tmp_path / "run")
    for path in (root / "reports/train_encoder/plots/metrics").iterdir():
        path.unlink()
    loss, _ = learning_curves([Experiment.open("./run", tmp_path)])
    sections = [text.text for text in ElementTree.fromstring(loss.svg).iter("text") if "section" in text.get("class")]
    assert sections == ["train_decoder"]


def test_scores_by_length_and_by_rarest_word(two):
    charts = score_charts(two)
    titles = ["BLEU by length", "chrF by length", "BLEU by rarest word of the source"]
    assert [chart.title for chart in charts] == titles
    texts = ElementTree.fromstring(charts[2].svg).iter("text")
    labels = [text.text for text in texts if text.get("class") == "tick middle"]
    assert labels == ["0", "100+"]
    assert [entry[0] for entry in charts[0].legend] == ["A: ./one", "B: ./two"]


def test_data_that_are_the_same_in_both_are_drawn_once(two, tmp_path):
    assert [chart.title for chart in data_charts(two)] == [
        f"{name}, the same in both" for name in ("Words a sentence", "Tokens a sentence", "Vocabulary coverage")
    ]
    other = make_run(tmp_path / "other")
    (other / "reports/vocab/coverage.csv").write_text("types,coverage,side\n1,0.3,source\n50,1.0,source\n")
    coverage = data_charts([two[0], Experiment.open("./other", tmp_path)])[2]
    assert [entry[0] for entry in coverage.legend] == ["A, source", "A, target", "B, source"]


def test_lengths_are_those_of_train(two):
    tokens = data_charts(two[:1])[1]
    tooltips = [title.text for title in ElementTree.fromstring(tokens.svg).iter("title")]
    assert "source, tokens, logarithmic 3: 8" in tooltips
    assert not any(" 9: 1" in text for text in tooltips)
