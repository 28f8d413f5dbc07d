"""A head on an encoder of others, as the library's own class of tokens: the same logits, or one line why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from stageformer.errors import StageformerError
from stageformer.export.head_transformers import read_layer, save_for_tokens
from stageformer.heads.files import SavedHead
from stageformer.heads.model import Head, HeadConfig, initialise
from tests.building.test_pretrained import TEXTS, bert, m2m, read, roberta, t5, vocabulary_of

transformers = pytest.importorskip("transformers")
LABELS = ["NN", "VB", "."]


def head(layers: list[int] | None = None, kind: str = "tags", **changes: Any) -> SavedHead:
    """A head for hidden states of 24 numbers with weights that were drawn."""
    kept = layers or []
    values: Any = {
        "width": 24 * max(1, len(kept)), "num_layers": max(1, len(kept)), "layer": -1, "mix": False, "pooling": "none",
        "words": "first", "hidden_size": 0, "dropout": 0.1, "num_labels": len(LABELS),
    } | changes  # fmt: skip
    config = HeadConfig(**values)
    generator = torch.Generator().manual_seed(2)
    mean, scale = (torch.rand(config.read_width, generator=generator) + 0.5 for _ in range(2))
    model = Head(config, mean, scale).eval()
    initialise(model, 3)
    with torch.no_grad():
        model.output.bias.uniform_(-1, 1, generator=generator)
    return SavedHead(model, LABELS, kind, 0.5, "maker", "float32", kept)


@pytest.mark.parametrize(
    ("maker", "layers", "changes"),
    [
        (bert, None, {}), (bert, [0, 1], {"layer": 1}), (bert, [2], {}),
        (roberta, None, {}), (roberta, [0, 1], {"layer": 0}),
        (t5, None, {}),
    ],
)  # fmt: skip
def test_the_logits_of_the_folder_are_those_of_the_head(
    tmp_path: Path, maker: Any, layers: list[int] | None, changes: dict[str, Any]
) -> None:
    original, folder = maker(tmp_path), tmp_path / "written"
    encoder, saved = read(original), head(layers, **changes)
    tokenizer, vocabulary = vocabulary_of(original)
    save_for_tokens(folder, saved, encoder, tokenizer, vocabulary, TEXTS)
    assert not list(folder.glob("*.py"))
    cutting = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder).eval()
    assert [model.config.id2label[number] for number in range(3)] == LABELS
    theirs = transformers.AutoTokenizer.from_pretrained(original)
    states = transformers.AutoModel.from_pretrained(original).eval()
    states = states.get_encoder() if states.config.is_encoder_decoder else states
    layer = read_layer(saved, encoder.stack.num_layers)
    batch = cutting(TEXTS, padding=True, return_tensors="pt")
    assert batch["input_ids"].tolist() == theirs(TEXTS, padding=True)["input_ids"]
    with torch.no_grad():
        found = model(**batch).logits
        hidden = states(**batch, output_hidden_states=True).hidden_states[layer]
        expected = saved.model.output((hidden - saved.model.mean) / saved.model.scale)
    there = batch["attention_mask"].bool()
    torch.testing.assert_close(found[there], expected[there], atol=1e-5, rtol=1e-5)


def test_where_the_library_computes_something_else_it_is_refused(tmp_path: Path) -> None:
    """T5 has a norm behind its last layer, which a shorter stack has behind another one."""
    original = t5(tmp_path)
    with pytest.raises(StageformerError, match="computes something else than the head from layer 1"):
        save_for_tokens(tmp_path / "written", head([1]), read(original), *vocabulary_of(original), TEXTS)
    original = m2m(tmp_path / "another")
    with pytest.raises(StageformerError, match=r"has no AutoModelForTokenClassification for this encoder .*m2m_100"):
        save_for_tokens(tmp_path / "written", head(), read(original), *vocabulary_of(original), TEXTS)


@pytest.mark.parametrize(
    ("saved", "reason"),
    [
        (head(kind="one", pooling="mean"), "pools the vectors of a sentence .*AutoModelForSequenceClassification"),
        (head(hidden_size=4), "it has a hidden layer; set head.hidden_size to null"),
        (head(words="mean"), "the mean of those of a word; set head.words to first"),
        (head([1, 3]), "reads one layer, and it reads 1, 3; set head.layer to one of these"),
        (head([1, 3], mix=True), "reads one layer, and it reads 1, 3"),
    ],
)
def test_what_no_class_can_express_is_refused_in_one_line(saved: SavedHead, reason: str) -> None:
    with pytest.raises(StageformerError, match=reason) as raised:
        read_layer(saved, 3)
    assert "\n" not in str(raised.value)
    assert "without --format takes it to any machine" in str(raised.value)
