"""The whole pipeline with an encoder that others trained: read once, encoded once, and then needed no more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stageformer.memory.store import MemoryStore
from tests.building.test_pretrained import bert
from tests.repositories import Repository

pytest.importorskip("transformers")
ROOT = Path(__file__).parents[2]


def run(repository: Repository, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in the repository, with its code."""
    environment = os.environ | {"PYTHONPATH": str(repository.root / "src"), "HF_HUB_OFFLINE": "1"}
    code = "import sys; from stageformer.cli import main; sys.argv[0] = 'stageformer'; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *command], cwd=repository.root, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def stage(repository: Repository) -> subprocess.CompletedProcess[str]:
    """Run the stage check, which comes before anything is deleted."""
    environment = os.environ | {"PYTHONPATH": str(repository.root / "src")}
    command = [sys.executable, "-m", "stages.check"]
    return subprocess.run(
        command, cwd=repository.root, env=environment, capture_output=True, text=True, check=False
    )


def choose(repository: Repository) -> Path:
    """Make the parameters ask for a small BERT in a folder of the repository, and return the folder."""
    torch.manual_seed(1)
    folder = bert(repository.root / "models/bert")
    pretrained = {"kind": "pretrained", "case": "keep", "normalisation": "none", "path": "models/bert"}
    target = {"kind": "bpe", "case": "keep", "normalisation": "none", "vocabulary_size": 60}
    repository.set(
        tokenize__source=pretrained, tokenize__target=target, vocab__shared=False, embed__max_length=80,
        train_encoder__objective="pretrained", train_encoder__pretrained__path="models/bert", encode__layers=[1, 3],
        train_decoder__target_embedding="embed", export__formats=[],
    )  # fmt: skip
    return folder


def test_every_stage_runs_and_the_folder_is_needed_no_more(repository: Repository, tmp_path: Path) -> None:
    folder = choose(repository)
    ran, _ = repository.repro()
    assert ran[1:] == [
        "tokenize", "vocab", "embed", "train_encoder", "encode", "train_decoder", "translate", "evaluate", "export"
    ]  # fmt: skip
    store = MemoryStore(repository.root / "data/encode/train")
    assert (store.width, store.kept) == (48, [1, 3])
    shutil.rmtree(folder)

    # Another decoder, where loading the model, or the library that it is of, fails.
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "transformers.py").write_text("raise SystemExit('the library was loaded')\n")
    repository.set(train_decoder__num_layers=2, train_decoder__memory_join="mix", train_decoder__memory_noise=0.1)
    path = os.pathsep.join([str(broken), str(repository.root / "src")])
    ran, _ = repository.repro("translate", PYTHONPATH=path)
    assert ran == ["check", "train_decoder", "translate"]

    # What was translated from memory is translated from text by the model in model.pt.
    repository.repro()
    source = "two lights in kitchen"
    translated = run(repository, "translate", source)
    assert translated.returncode == 0, translated.stderr
    assert run(repository, "translate", "--model", "data/export", source).stdout == translated.stdout
    explained = run(repository, "explain", source, "--output", "picture.svg")
    assert explained.returncode == 0, explained.stderr
    assert "the encoder is pretrained, and its attention is not drawn" in explained.stderr
    assert (repository.root / "picture-cross.svg").is_file() or (repository.root / "picture.svg").is_file()
    for command, message in (
        (("explain", source, "--kind", "encoder"), "its attention is not drawn; choose decoder or cross"),
        (("walk", source), "not that of the last layer of an encoder of ours"),
        (("probe",), "is of others"),
    ):
        refused = run(repository, *command)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert message in refused.stderr
    found = run(repository, "similar", source)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_encoder__pretrained__path": None}, "train_encoder.pretrained.path is null"),
        ({"tokenize__source__path": "models/other"}, "tokenize.source.path to 'models/bert'"),
        ({"train_decoder__target_embedding": "train_encoder"}, "use 'embed'"),
        ({"encode__dropout_copies": 2}, "encode.dropout_copies is 2, and it has no dropout here"),
        ({"train_decoder__finetune_encoder": True}, "train_decoder.finetune_encoder is true"),
        ({"export__formats": ["ctranslate2"]}, "no engine of others has such an encoder"),
        ({"encode__layers": [2, 4]}, "there is no layer 4; the encoder has 0 (the embedding) to 3"),
        ({"embed__max_length": 101}, "takes 100 tokens, but embed.max_length is 101"),
        ({"encode__layers": [1, 1]}, "must be last, all, or a list of different layers"),
        ({"encode__layers": "first"}, "must be last, all, or a list of different layers"),
        ({"encode__layers": []}, "must be last, all, or a list of different layers"),
        ({"encode__layers": [-1]}, "must be last, all, or a list of different layers"),
    ],
)
def test_check_refuses_what_does_not_fit(
    repository: Repository, change: dict[str, object], message: str
) -> None:
    choose(repository)
    repository.set(**change)
    refused = stage(repository)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert message in refused.stderr


def test_layers_of_our_own_encoder(repository: Repository) -> None:
    repository.set(encode__layers=[0, 1], export__formats=[])
    ran, _ = repository.repro("translate")
    assert ran[-3:] == ["encode", "train_decoder", "translate"] or ran[-2:] == ["encode", "train_decoder"]
    store = MemoryStore(repository.root / "data/encode/train")
    assert (store.width, store.kept) == (32, [0, 1])
    translated = run(repository, "translate", "two lights in kitchen")
    assert translated.returncode == 0, translated.stderr
    repository.set(encode__layers=[3])
    refused = stage(repository)
    assert "encode.layers is [3], but the encoder has 1 (model.num_layers)" in refused.stderr
    repository.set(encode__layers="all", export__formats=["ctranslate2"])
    assert "no engine of others reads several layers" in stage(repository).stderr
