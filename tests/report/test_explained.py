import base64
from xml.etree import ElementTree

import pytest

from stageformer.experiments.experiment import Experiment
from stageformer.report.pictures import MODEL, explained
from stageformer.report.translations import TranslationTable
from tests.report.conftest import make_run


def rows(*sentences):
    cells = [[number, [text], [], ["", exact]] for number, (text, exact) in enumerate(sentences)]
    return TranslationTable([], cells, [])


def test_draws_a_sentence_that_was_translated_exactly(toy_root):
    (toy_root / "dvc.yaml").touch()
    sentences = rows(("one two", True), ("one two three", False), ("two one three", True), ("four five six", True))
    found = explained([Experiment.open("workspace", toy_root)], toy_root, sentences)
    assert (found.sentence, found.reason) == ("two one three", "")
    assert [caption.split(",")[0] for caption, _ in found.pictures] == [
        "Self-attention of the encoder",
        "Self-attention of the decoder",
        "Attention of the decoder to the encoder output",
    ]
    for _, uri in found.pictures:
        kind, content = uri.split(",")
        assert kind == "data:image/svg+xml;base64"
        assert ElementTree.fromstring(base64.b64decode(content)).tag.endswith("svg")


@pytest.mark.parametrize(("name", "reason"), [
    ("workspace", f"There is no {MODEL} in the workspace"), ("./one", "Only the model of the workspace is drawn"),
])
def test_says_why_there_are_no_pictures(runs, name, reason):
    root = runs / "one" if name == "workspace" else runs
    found = explained([Experiment.open(name, root)], root, rows(("one two three", True)))
    assert found.pictures == []
    assert found.reason.startswith(reason)


def test_no_sentence_of_good_length(tmp_path):
    path = make_run(tmp_path / "run") / MODEL
    path.parent.mkdir(parents=True)
    path.touch()
    found = explained([Experiment.open("workspace", tmp_path / "run")], tmp_path / "run", rows(("one", True)))
    assert found.reason == "No sentence of the test has a length that can be drawn."
