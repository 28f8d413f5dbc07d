import pytest

from stageformer.report.formats import difference, duration, number, short, size
from stageformer.report.parameters import differences, groups
from stageformer.report.scores import signatures, table, tiles
from stageformer.scoring.significance import BootstrapResult


@pytest.mark.parametrize(("value", "text"), [
    (0.44, "0.4 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (308.1, "5 min 8 s"), (3599.7, "1 h 0 min"),
    (7500, "2 h 5 min"),
])
def test_duration(value, text):
    assert duration(value) == text


@pytest.mark.parametrize(("value", "text"), [
    (38, "38 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1023.99 * 1024, "1.0 MiB"), (145297056, "138.6 MiB"),
    (2**50, "1,024.0 TiB"),
])
def test_size(value, text):
    assert size(value) == text


def test_numbers_and_differences():
    assert [number(1234.5), number(7), number(-0.25), number(-0.004)] == ["1,234.50", "7", "−0.25", "0.00"]
    assert [difference(1.306), difference(-0.4, 1), difference(-0.004)] == ["+1.31", "−0.4", "±0"]
    assert [short(0.003), short(12.0), short(20000), short(-2.5)] == ["0.003", "12", "20k", "−2.5"]


def test_a_lower_error_rate_is_better_and_a_lower_bleu_worse():
    old = {"beam": {"bleu": 20.0, "ter": 80.0, "per": 9.0}, "perplexity": 12.0}
    new = {"beam": {"bleu": 19.5, "ter": 79.0, "chrf": 45.0}, "perplexity": 12.001}
    tested = {
        "bleu": BootstrapResult(20.0, 19.5, -0.5, low=-0.9, high=-0.1, p=0.01, signature=""),
        "ter": BootstrapResult(80.0, 79.0, -1.0, low=-1.9, high=-0.2, p=0.01, signature=""),
    }
    found = {
        tile.name: (tile.values, change.difference, change.verdict)
        for tile in tiles([old, new], [tested]) for change in tile.changes
    }
    assert found == {
        "BLEU": (("20.00", "19.50"), "−0.50", "worse"),
        "chrF": (("–", "45.00"), "", ""),
        "TER": (("80.00", "79.00"), "−1.00", "better"),
        "PER": (("9.00 %", "–"), "", ""),
        "Perplexity": (("12.00", "12.00"), "±0", "same"),
    }


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 1.1, "better"), (-0.01, 1.1, "maybe chance"), (0.0, 1.1, "maybe chance")],
)
def test_a_difference_is_better_only_if_it_is_hardly_chance(low, high, verdict):
    metrics = [{"beam": {"bleu": bleu}, "perplexity": bleu} for bleu in (20.0, 20.56)]
    tested = BootstrapResult(20.0, 20.56, 0.56, low=low, high=high, p=0.1, signature="")
    bleu, perplexity = (tile.changes[0] for tile in tiles(metrics, [{"bleu": tested}]))
    assert (bleu.difference, bleu.verdict) == ("+0.56", verdict)
    assert (perplexity.difference, perplexity.verdict) == ("+0.56", "not tested")


def test_chance_is_beside_the_difference():
    tested = BootstrapResult(20.0, 21.5, 1.5, low=-0.104, high=3.1, p=0.0004, signature="")
    metrics = [{"beam": {"bleu": bleu, "chrf": 40.0}} for bleu in (20.0, 21.5)]
    shown = [tile.changes[0].chance.replace("\N{NO-BREAK SPACE}", " ") for tile in tiles(metrics, [{"bleu": tested}])]
    assert shown == ["95 %: −0.10 to +3.10, p < 0.001", ""]


def test_each_of_several_is_compared_with_the_first():
    tested = BootstrapResult(20.0, 19.0, -1.0, low=-2.0, high=-0.5, p=0.01, signature="")
    metrics = [{"beam": {"bleu": bleu}} for bleu in (20.0, 21.5, 19.0)]
    (tile,) = tiles(metrics, [{}, {"bleu": tested}])
    assert tile.values == ("20.00", "21.50", "19.00")
    verdicts = [(change.difference, change.verdict) for change in tile.changes]
    assert verdicts == [("+1.50", "not tested"), ("−1.00", "worse")]
    assert [bool(change.chance) for change in tile.changes] == [False, True]


def test_table_has_every_system_and_score_even_unknown_ones():
    metrics = {
        "sentences": 5,
        "greedy": {"bleu": 1.0, "zeal": 2.0},
        "sampled_once": {"bleu": 3.0},
        "beam": {"bleu": 4.0, "empty": 1},
        "bleu_signature": "nrefs:1",
    }
    names, rows = table(metrics)
    assert names == ["BLEU", "Empty", "zeal"]
    assert rows == [
        ("beam search", ["4.00", "1", "–"]),
        ("greedy search", ["1.00", "–", "2.00"]),
        ("sampled once", ["3.00", "–", "–"]),
    ]
    assert signatures(metrics) == [("BLEU", "nrefs:1")]


def test_parameters_by_group_with_those_of_either_experiment():
    old = {"translate": {"beam_size": 4, "gone": True}, "embed": {"d_model": 128}}
    new = {"translate": {"beam_size": 8}, "embed": {"d_model": 128}, "train_encoder": {"training": {"seed": None}}}
    assert groups([old, new]) == [
        ("translate", [("beam_size", ["4", "8"], True), ("gone", ["true", "(absent)"], True)]),
        ("embed", [("d_model", ["128", "128"], False)]),
        ("train_encoder", [("training.seed", ["(absent)", "null"], True)]),
    ]
    changes = {change.key: (*change.values, change.meaning) for change in differences([old, new])}
    assert changes["translate.beam_size"] == ("4", "8", "hypotheses kept at each step; 1: greedy")
    assert changes["translate.gone"] == ("true", "(absent)", "")
    assert changes["train_encoder.training.seed"][2].startswith("seed of initial weights")
    third = new | {"embed": {"d_model": 256}}
    assert [(change.key, change.values) for change in differences([old, new, third])] == [
        ("translate.beam_size", ("4", "8", "8")),
        ("embed.d_model", ("128", "128", "256")),
        ("train_encoder.training.seed", ("(absent)", "null", "null")),
        ("translate.gone", ("true", "(absent)", "(absent)")),
    ]
