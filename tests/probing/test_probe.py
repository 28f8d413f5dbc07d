"""`stageformer probe` on a corpus whose tags are known."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from ruamel.yaml import YAML

from stageformer.artifacts.tables import write_table
from stageformer.batching.sentences import Sentences
from stageformer.cli import main
from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.transformer import Encoder
from stageformer.params.recipes import combine
from stageformer.probing.examples import Examples
from stageformer.probing.probe import control_labels, features

ROOT = Path(__file__).parents[2]
TEXTS = ["unable to connect", "the the  theory", "a", "größer \u4e2d\u6587 !"]


def test_words_have_the_state_of_their_token_and_texts_the_mean_of_theirs() -> None:
    torch.manual_seed(1)
    encoder = Encoder(EmbeddingConfig(13, 16), StackConfig(16, 2, 4, 24)).eval()
    sentences = [[5, 6, 7, 2], [8, 2], [9, 10, 2]]
    token = np.array([2, 0, -1, 1])
    examples = Examples(Sentences.of(sentences), np.array([0, 0, 1, 2]), token, ["x"] * 4, ["x"] * 4)
    found = features(encoder, examples, pad_id=0)
    assert found.shape == (3, 4, 16)
    for example, (row, place) in enumerate(zip(examples.sentence.tolist(), token.tolist(), strict=True)):
        with torch.no_grad():
            states = encoder(torch.tensor([sentences[row]]))[0]
        expected = states.mean(0) if place < 0 else states[place]
        torch.testing.assert_close(found[2, example], expected, atol=1e-5, rtol=1e-5)


def test_a_control_task_gives_each_word_one_label_as_often_as_the_real_ones() -> None:
    words = [f"word{number % 2000}" for number in range(6000)]
    labels = torch.tensor([0 if number % 10 else 1 for number in range(6000)])
    nothing = Sentences.of([[2]])
    train, tested = (
        Examples(nothing, np.zeros(len(part)), np.zeros(len(part)), [""] * len(part), part)
        for part in (words, [*words[:50], "unseen"])
    )
    first, second = control_labels(train, tested, labels, seed=1)
    drawn = dict(zip(words, first.tolist(), strict=True))
    assert [drawn[word] for word in words] == first.tolist()
    assert second[:50].tolist() == first[:50].tolist()
    assert first.double().mean() == pytest.approx(0.1, abs=0.03)
    assert not torch.equal(first, labels)
    assert not torch.equal(first, control_labels(train, tested, labels, seed=2)[0])


def run(folder: Path, stage: str) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage}"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an untrained encoder, on words each of which has one tag, wherever it occurs."""
    folder = tmp_path_factory.mktemp("tagged")
    tags = {"see": "VERB", "hear": "VERB", "cats": "NOUN", "dogs": "NOUN", "birds": "NOUN", "now": "ADV", "we": "PRON"}
    texts = [" ".join(words) for words in itertools.permutations(tags, 4)]
    (folder / "text").write_text("".join(f"{text}\n" for text in texts))
    (folder / "tags").write_text("".join(f"{' '.join(tags[word] for word in text.split())}\n" for text in texts))
    values = combine("smoke", ROOT / "recipes").values
    values["ingest"] |= {"source": "lines", "labels": "tags", "test_fraction": 0.1, "valid_fraction": 0.1}
    values["ingest"]["files"] |= {"train": ["text", "tags"], "target_column": None}
    values["train_encoder"]["objective"] = "none"
    (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(values, file)
    for stage in ("check", "ingest", "tokenize", "vocab", "embed", "train_encoder"):
        run(folder, stage)
    return folder


def probe(folder: Path, *arguments: str) -> str:
    found = CliRunner().invoke(main, ["probe", "--root", str(folder), *arguments])
    assert found.exit_code == 0, found.output
    return found.stdout


def test_the_command_finds_what_every_layer_knows(tagged: Path) -> None:
    picture = tagged / "probe.svg"
    found = json.loads(probe(tagged, "--examples", "300", "--seeds", "2", "--json", "--output", str(picture)))
    places = {place["layer"]: place for place in found["places"]}
    layers = len(places) - 1
    assert list(places) == [*map(str, range(layers)), "mix"]
    assert (found["classes"], len(found["mix"]), len(found["mix"][0])) == (4, 2, layers)
    for place in places.values():
        assert len(place["accuracy"]) == len(place["control"]) == len(place["random"]) == 2
        for real, control, selectivity in zip(place["accuracy"], place["control"], place["selectivity"], strict=True):
            assert selectivity == pytest.approx(real - control)
    # Of so few words, the embedding alone tells each, its tag and its random label.
    assert min(places["0"]["accuracy"]) > 0.97
    assert max(found["majority"]) < 0.6
    assert picture.read_text(encoding="utf-8").count("<svg") == 1
    assert probe(tagged, "--examples", "300", "--seeds", "2") == probe(tagged, "--examples", "300", "--seeds", "2")


def test_the_command_prints_a_table(tagged: Path) -> None:
    lines = probe(tagged, "--examples", "200", "--seeds", "1").splitlines()
    assert lines[0].startswith("4 labels, 200 examples of train, 200 tested; most frequent label ")
    assert lines[1].split() == "layer accuracy % control task % selectivity random encoder %".split()
    assert lines[-2].split()[0] == "mix"
    assert lines[-1].startswith("the mix reads: layer 0 ")


def test_a_corpus_without_labels_is_refused(tagged: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unlabelled"
    shutil.copytree(tagged, folder)
    write_table(folder / "data/ingest/labels/train.parquet", "labels", [{"id": [], "labels": []}])
    found = CliRunner().invoke(main, ["probe", "--root", str(folder)])
    assert found.exit_code == 2
    assert "no sentence has labels; choose a corpus with labels (ingest.labels)" in found.stderr
