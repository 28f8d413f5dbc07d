import filecmp

import numpy as np
import pytest
import torch

from stageformer.batching.sentences import Sentences
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Batch, Rules
from stageformer.errors import StageformerError
from stageformer.export.comparison import disagreement, summary
from stageformer.export.transformers_folder import HuggingFaceEngine, save_huggingface
from stageformer.export.transformers_models import to_transformers
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.text.conversion import source_ids, target_text
from stageformer.text.pair import train_tokenizers
from stageformer.text.vocabulary import Vocabularies, Vocabulary
from tests.export.conftest import BOS, EOS, PAD, UNK, random_model
from tests.families import family

pytest.importorskip("transformers")

SOURCES = [
    "The house is small.", "Small houses are houses!", "a b c d a b c d x y z x y z", "Is the big house small, too?"
]  # fmt: skip
TARGETS = [
    "Das Haus ist klein.", "Kleine Häuser sind Häuser!", "e f g h e f g h u v w u v w", "Ist auch das Haus klein?"
]  # fmt: skip
NEW = ["The bigger house?", "Unknown: 雪 ▁ x", "", "a <eos> b"]


def made(**options):
    """A tokenizer and a vocabulary per side, which lacks rare pieces, and a model for them."""
    tokenizers = train_tokenizers(SOURCES, TARGETS, family(case="lower"), family(case="lower"))
    sides = []
    for tokenizer, texts in ((tokenizers.source, SOURCES), (tokenizers.target, TARGETS)):
        counts = {}
        for token in (token for tokens in tokenizer.encode_batch(texts) for token in tokens):
            counts[token] = counts.get(token, 0) + 1
        sides.append(Vocabulary.from_counts(counts, min_frequency=2, max_size=None))
    vocabularies = Vocabularies(*sides, shared=False)
    assert min(map(len, sides)) > 12
    model = random_model(source_size=len(sides[0]), target_size=len(sides[1]), **options)
    return model, tokenizers, vocabularies


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_text_to_text_is_ours(norm, tmp_path):
    model, tokenizers, vocabularies = made(norm=norm)
    save_huggingface(model, tokenizers, vocabularies, tmp_path / "model")
    assert (tmp_path / "model/target_tokenizer/tokenizer.json").exists()
    texts = SOURCES[:4] + NEW
    ids = source_ids(texts, tokenizers.source, vocabularies.source)
    assert any(UNK in row for row in ids)
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), 1.5, 4)
    sources = EncodedMemory(EncoderSource(model.encoder, PAD), Sentences.of(ids))
    found = greedy(model.decoder, Batch(*sources.batch(np.arange(len(ids)))), rules)
    ours = [target_text(best.ids, tokenizers.target, vocabularies.target) for best, *_ in found]
    engine = HuggingFaceEngine(tmp_path / "model")
    limits = [int(1.5 * len(row)) + 4 for row in ids]
    theirs = engine.translate(engine.source_ids(texts), max_lengths=limits, batch_tokens=20)
    assert [engine.text(row) for row in theirs] == ours
    assert len(set(ours)) > 3


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        model, tokenizers, vocabularies = made(norm="pre")
        save_huggingface(model, tokenizers, vocabularies, tmp_path / name)
    names = [str(path.relative_to(tmp_path / "one")) for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert {"model.safetensors", "tokenizer.json", "target_tokenizer/tokenizer.json"} <= set(names)
    assert filecmp.cmpfiles(tmp_path / "one", tmp_path / "other", names, shallow=False)[0] == names


def test_stacks_that_no_architecture_has(tmp_path):
    model, _, vocabularies = made()
    object.__setattr__(model.config.decoder, "norm", "pre")
    with pytest.raises(StageformerError) as caught:
        to_transformers(model, vocabularies.target)
    assert str(caught.value) == (
        "norm is 'post' for the encoder and 'pre' for the decoder; transformers has no architecture with both; "
        "make them equal, or take huggingface out of export.formats"
    )


def test_a_difference_is_explained(tmp_path):
    model, _, vocabularies = made()
    source = [5, 6, EOS]
    with torch.no_grad():
        logits = model.decoder.logits(model(torch.tensor([source]), torch.tensor([[BOS, 7]])))[0, -1].log_softmax(-1)
    common = {"id": 3, "source": "s", "source_ids": source}
    ended = disagreement(model, vocabularies, **common, ours=([7, 9, 4], "x"), theirs=([7], "y"))
    assert (ended.position, ended.our_token, ended.their_token) == (1, vocabularies.target.tokens[9], "<eos>")
    assert ended.margin == pytest.approx(float(logits[9] - logits[EOS]), abs=1e-3)
    text = disagreement(model, vocabularies, **common, ours=([7], "x"), theirs=([7], "y"))
    assert (text.position, text.margin) == (None, None)
    found = summary([ended, text])
    assert (found["ties"], found["other_tokens"], found["other_text"]) == (0, 1, 1)
    assert found["largest_margin"] == abs(ended.margin)
