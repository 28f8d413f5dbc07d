import filecmp

import pytest
import torch

from stageformer.artifacts.tables import read_table
from stageformer.batching.sentences import Sentences
from stageformer.building.model_files import load_model
from stageformer.decoding.beam import beam_search
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Batch, Rules, penalty
from stageformer.errors import StageformerError
from stageformer.export.ctranslate2_model import save_ctranslate2
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabularies, Vocabulary, load_vocabularies
from stageformer.translator.ctranslate2_engine import CTranslate2Engine
from tests.export.conftest import BOS, EOS, PAD, UNK, random_model, random_sources

pytest.importorskip("ctranslate2")

VARIANTS = {
    "post-norm, one matrix": {"norm": "post", "share_embeddings": True},
    "pre-norm, an embedding per side": {"norm": "pre"},
    "post-norm, a vocabulary per side": {"norm": "post", "target_size": 31},
    "pre-norm, three matrices": {"norm": "pre", "tie_output": False, "source_size": 31},
    "gelu, not scaled": {"norm": "pre", "activation": "gelu", "scale": False},
    "learned positions": {"norm": "post", "positions": "learned"},
    "no positions": {"norm": "pre", "positions": "none"},
}


def vocabulary(size):
    return Vocabulary([*SPECIAL_TOKENS, *(f"t{number}" for number in range(4, size))], [0] * size)


def vocabularies(model):
    sides = (model.config.source, model.config.target)
    return Vocabularies(*(vocabulary(side.vocabulary_size) for side in sides), shared=False)


def ours(model, search, sources, **options):
    ids, present = Sentences.of(sources).padded(PAD)
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), 1.0, 4)
    with torch.no_grad():
        batch = Batch(model.encoder(ids, present), present)
    return [best for best, *_ in search(model.decoder, batch, rules, **options)]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_greedy_search_is_ours(variant, tmp_path):
    sources = random_sources()
    texts = set()
    for seed in range(3):
        model = random_model(**variant, seed=seed)
        save_ctranslate2(model, vocabularies(model), tmp_path, quantization=None)
        engine = CTranslate2Engine(tmp_path, vocabularies(model), threads=1)
        limits = [len(source) + 4 for source in sources]
        found = engine.translate(sources, max_lengths=limits, beam_size=1, length_penalty=0.0, batch_tokens=100)
        wanted = ours(model, greedy, sources)
        assert [hypothesis.ids for hypothesis in found] == [hypothesis.ids for hypothesis in wanted]
        texts |= {tuple(hypothesis.ids) for hypothesis in wanted}
    assert len(texts) > 5


def test_beam_search_is_ranked_by_our_penalty(tmp_path, toy_root):
    model, _ = load_model(toy_root / "data/train_decoder/model.pt")
    shared = load_vocabularies(toy_root / "data/vocab")
    save_ctranslate2(model, shared, tmp_path, quantization=None)
    engine = CTranslate2Engine(tmp_path, shared, threads=1)
    sources = read_table(toy_root / "data/vocab/test.parquet", "ids")["source_ids"].to_pylist()
    found = engine.translate(
        sources, max_lengths=[2 * len(source) for source in sources], beam_size=4, length_penalty=0.8, batch_tokens=400
    )
    for source, hypothesis in zip(sources, found, strict=True):
        # Scaled up to the tokens that are allowed, as CTranslate2 does it.
        target = torch.tensor([[BOS, *hypothesis.ids, EOS]])
        with torch.no_grad():
            logits = model.decoder.logits(model(torch.tensor([source]), target[:, :-1]))
        logits[..., [PAD, BOS, UNK]] = -torch.inf
        total = logits.log_softmax(-1).gather(2, target[:, 1:, None]).sum()
        assert hypothesis.score == pytest.approx(float(total / penalty(target.size(1) - 1, 0.8)), rel=1e-3, abs=1e-5)
    best = ours(model, beam_search, sources, beam_size=4, length_penalty=0.8)
    assert sum(one.ids == other.ids for one, other in zip(found, best, strict=True)) > 0.8 * len(sources)


def test_eight_bits_are_close_and_small(tmp_path):
    model = random_model(norm="pre", d_model=64)
    for quantization in (None, "int8"):
        save_ctranslate2(model, vocabularies(model), tmp_path / str(quantization), quantization=quantization)
    sizes = [(tmp_path / name / "model.bin").stat().st_size for name in ("int8", "None")]
    assert sizes[0] < 0.6 * sizes[1]
    sources = random_sources()
    scores = []
    for name in ("int8", "None"):
        engine = CTranslate2Engine(tmp_path / name, vocabularies(model), threads=1)
        # One token: where two differ, their scores are still near each other; longer translations would part for good.
        found = engine.translate(
            sources, max_lengths=[1] * len(sources), beam_size=1, length_penalty=0.0, batch_tokens=100
        )
        scores.append(torch.tensor([hypothesis.score for hypothesis in found]))
    difference = (scores[0] - scores[1]).abs()
    assert 0 < difference.median() < 0.5


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for quantization in (None, "int8"):
        for name in ("one", "other"):
            model = random_model(norm="pre")
            save_ctranslate2(model, vocabularies(model), tmp_path / name, quantization=quantization)
        names = sorted(path.name for path in (tmp_path / "one").iterdir())
        assert filecmp.cmpfiles(tmp_path / "one", tmp_path / "other", names, shallow=False)[0] == names


def test_our_weights_are_not_changed_by_the_rounding(tmp_path):
    model = random_model(norm="pre")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    save_ctranslate2(model, vocabularies(model), tmp_path, quantization="int8")
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_errors(tmp_path):
    model = random_model(attention_only=True)
    with pytest.raises(StageformerError, match=r"^attention_only is true for the encoder; CTranslate2 has no such"):
        save_ctranslate2(model, vocabularies(model), tmp_path, quantization=None)
    message = r"holds no model of CTranslate2 \(see export.formats\); make it with `dvc repro export`$"
    with pytest.raises(StageformerError, match=message):
        CTranslate2Engine(tmp_path, vocabularies(model), threads=1)
    save_ctranslate2(random_model(), vocabularies(model), tmp_path, quantization=None)
    engine = CTranslate2Engine(tmp_path, vocabularies(model), threads=1)
    with pytest.raises(StageformerError, match=r"^a source has 41 tokens with <eos>, the model takes 40 "):
        engine.translate([[5] * 40 + [EOS]], max_lengths=[9], beam_size=1, length_penalty=0.0, batch_tokens=100)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace("max_target_positions", "other"))
    with pytest.raises(StageformerError, match=r"a model of CTranslate2 that Stageformer did not write"):
        CTranslate2Engine(tmp_path, vocabularies(model), threads=1)
    (tmp_path / "model.bin").write_bytes(b"\x06\x00")
    with pytest.raises(StageformerError, match=r"not a readable model of CTranslate2"):
        CTranslate2Engine(tmp_path, vocabularies(model), threads=1)
