import pytest
import torch

from stageformer.batching.sentences import Sentences
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Batch, Rules
from stageformer.errors import StageformerError
from stageformer.export.transformers_models import to_blenderbot, to_marian
from tests.export.conftest import BOS, EOS, PAD, SPECIAL, UNK, random_model, random_sources

pytest.importorskip("transformers")

VARIANTS = {
    "one matrix": {"share_embeddings": True},
    "shared embeddings, own output": {"share_embeddings": True, "tie_output": False},
    "an embedding per side": {},
    "three matrices": {"tie_output": False},
    "more target tokens": {"target_size": 31},
    "fewer target tokens, own output": {"source_size": 31, "tie_output": False},
    "gelu, not scaled": {"activation": "gelu", "scale": False},
    "another width": {"d_model": 12},
}
CASES = [
    *(pytest.param(to_marian, {"norm": "post", **variant}, id=f"Marian, {name}") for name, variant in VARIANTS.items()),
    *(
        pytest.param(to_blenderbot, {"norm": "pre", **variant}, id=f"Blenderbot, {name}")
        for name, variant in [
            *VARIANTS.items(), ("learned", {"positions": "learned"}), ("no positions", {"positions": "none"})
        ]
    ),
]  # fmt: skip


def scores(model, sources, present, targets):
    batch = {"input_ids": sources, "attention_mask": present.long(), "decoder_input_ids": targets}
    with torch.no_grad():
        return model(**batch).logits


@pytest.mark.parametrize(("convert", "variant"), CASES)
def test_scores_are_ours(convert, variant):
    sources, present = Sentences.of(random_sources()).padded(PAD)
    targets = torch.randint(4, 23, (len(sources), 7))
    targets[:, 0] = BOS
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        model = random_model(**variant).to(dtype)
        with torch.no_grad():
            ours = model.decoder.logits(model(sources, targets, present))
        theirs = scores(convert(model, **SPECIAL), sources, present, targets)
        assert theirs.dtype == dtype
        assert (theirs[..., : ours.size(-1)] - ours).abs().max() <= tolerance * ours.abs().max()
        assert theirs[..., ours.size(-1) :].isneginf().all()


@pytest.mark.parametrize(("convert", "variant"), CASES)
def test_greedy_search_is_ours(convert, variant):
    sources, present = Sentences.of(random_sources()).padded(PAD)
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), 0, 12)
    found = set()
    for seed in range(3):
        model = random_model(**variant, seed=seed)
        with torch.no_grad():
            ours = [h.ids for (h,) in greedy(model.decoder, Batch(model.encoder(sources, present), present), rules)]
            copy = convert(model, **SPECIAL)
            theirs = copy.generate(sources, attention_mask=present.long(), max_new_tokens=12)
        assert [[token for token in row if token >= UNK] for row in theirs.tolist()] == ours
        found |= set(map(tuple, ours))
    assert len(found) > 5


@pytest.mark.parametrize(("convert", "variant"), CASES)
def test_a_saved_copy_is_the_same(convert, variant, tmp_path, caplog):
    from transformers import AutoModelForSeq2SeqLM

    copy = convert(random_model(**variant), **SPECIAL)
    copy.save_pretrained(tmp_path)
    read = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert type(read) is type(copy)
    sources, present = Sentences.of(random_sources()).padded(PAD)
    difference = scores(read, sources, present, sources) - scores(copy, sources, present, sources)
    assert difference.nan_to_num().abs().max() < 1e-5
    assert read.generation_config.to_dict() == copy.generation_config.to_dict()
    assert not caplog.records


def test_a_model_without_limit_of_length_stops_at_its_positions():
    model = random_model(norm="post")
    model.decoder.embedding.weight.data[EOS] = 0
    sources, present = Sentences.of(random_sources()).padded(PAD)
    found = to_marian(model, **SPECIAL).generate(sources, attention_mask=present.long())
    with torch.no_grad():
        batch = Batch(model.encoder(sources, present), present)
        ours = [h for (h,) in greedy(model.decoder, batch, Rules(BOS, EOS, (PAD, BOS, UNK), 9, 99))]
    assert max(len(hypothesis.ids) for hypothesis in ours) == 39
    assert [[token for token in row if token >= UNK] for row in found.tolist()] == [h.ids for h in ours]


@pytest.mark.parametrize(("convert", "variant"), CASES)
def test_entries_beyond_the_vocabulary_are_unknown(convert, variant):
    model = random_model(**variant)
    size = model.config.source.vocabulary_size
    copy = convert(model, **SPECIAL, unknown_ids=range(size, size + 12))
    sources, present = Sentences.of([[5, UNK, 7, UNK, EOS]]).padded(PAD)
    targets = torch.tensor([[BOS, 4, 5]])
    beyond = torch.where(sources == UNK, torch.tensor([[0, size, 0, size + 11, 0]]), sources)
    with torch.no_grad():
        ours = model.decoder.logits(model(sources, targets, present))
    for ids in (sources, beyond):
        theirs = scores(copy, ids, present, targets)
        assert (theirs[..., : ours.size(-1)] - ours).abs().max() <= 1e-5 * ours.abs().max()
        assert theirs[..., ours.size(-1) :].isneginf().all()


def test_what_cannot_be_expressed_is_refused():
    with pytest.raises(StageformerError) as caught:
        to_marian(random_model(norm="pre"), **SPECIAL)
    assert str(caught.value) == "norm is 'pre' for the encoder; MarianMT has post-norm layers"
    with pytest.raises(StageformerError, match=r"^embed.positions is 'learned'; MarianMT has only sinusoidal"):
        to_marian(random_model(norm="post", positions="learned"), **SPECIAL)
    with pytest.raises(StageformerError, match=r"^attention_only is true for the encoder; Blenderbot has no such"):
        to_blenderbot(random_model(norm="pre", attention_only=True), **SPECIAL)
