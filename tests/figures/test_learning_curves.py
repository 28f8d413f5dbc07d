import csv

import pytest
from matplotlib.image import imread

from stageformer.errors import StageformerError
from stageformer.figures.learning_curves import read_curves, write_curves


@pytest.fixture
def reports(tmp_path):
    def make(stage, **columns):
        folder = tmp_path / stage / "plots" / "metrics"
        folder.mkdir(parents=True)
        for name, points in columns.items():
            lines = [f"step\t{name}", *(f"{step}\t{loss}" for step, loss in points)]
            (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")
        return tmp_path / stage

    return make


def test_the_decoder_continues_where_the_encoder_ended(reports, tmp_path):
    encoder = reports("train_encoder", train_loss=[(5, 4.0), (10, 3.5)], valid_loss=[(5, 4.5), (10, 3.75)])
    decoder = reports("train_decoder", train_loss=[(5, 2.5)], valid_loss=[(5, 2.75)], valid_perplexity=[(5, 1.0)])
    write_curves(read_curves([encoder, decoder]), tmp_path)
    rows = list(csv.DictReader((tmp_path / "learning_curves.csv").open()))
    assert [(row["update"], float(row["loss"]), row["stage"], row["split"]) for row in rows] == [
        ("5", 4.0, "train_encoder", "train"),
        ("10", 3.5, "train_encoder", "train"),
        ("5", 4.5, "train_encoder", "valid"),
        ("10", 3.75, "train_encoder", "valid"),
        ("15", 2.5, "train_decoder", "train"),
        ("15", 2.75, "train_decoder", "valid"),
    ]
    picture = (tmp_path / "learning_curves.png").read_bytes()
    write_curves(read_curves([encoder, decoder]), tmp_path)
    assert (tmp_path / "learning_curves.png").read_bytes() == picture


def test_an_untrained_encoder_has_no_curve(reports, tmp_path):
    curves = read_curves([reports("train_encoder"), reports("train_decoder", valid_loss=[(5, 2.75)])])
    assert [(curve.stage, curve.updates) for curve in curves] == [("train_decoder", [5])]
    write_curves([], tmp_path)
    assert (tmp_path / "learning_curves.csv").read_text() == "update,loss,stage,split\n"
    assert imread(tmp_path / "learning_curves.png").shape[0] > 300


@pytest.mark.parametrize("content", ["step\tloss\n5\t1.0\n", "step\ttrain_loss\n5\n", "step\ttrain_loss\nx\t1.0\n"])
def test_a_damaged_curve_is_one_line(content, reports):
    folder = reports("train_encoder")
    (folder / "plots/metrics/train_loss.tsv").write_text(content)
    with pytest.raises(StageformerError, match=r"train_loss\.tsv: needs .* `dvc repro --force train_encoder`$"):
        read_curves([folder])
