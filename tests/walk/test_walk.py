import base64
import dataclasses
import json
import math
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.decoding.sampling import Sampling, _draw
from stageformer.decoding.search import rules_for
from stageformer.decoding.steps import search_steps
from stageformer.errors import StageformerError
from stageformer.model.attention import causal_mask
from stageformer.walk.explanations import _KINDS, explanations
from stageformer.walk.page import write_walk
from stageformer.walk.search import drawn_from
from stageformer.walk.source_code import excerpt
from stageformer.walk.steps import Shape, steps, tour
from stageformer.walk.walked import KINDS_OF_WEIGHTS, walk_model
from tests.walk.conftest import SENTENCE, STRANGE


def close(array, tensor):
    return torch.testing.assert_close(torch.from_numpy(array), tensor, rtol=1e-5, atol=1e-5)


def ids_of(walked):
    source = [entry["id"] for entry in walked.source_entries]
    return torch.tensor([source]), torch.tensor([[entry["id"] for entry in walked.target_entries]])


@pytest.mark.parametrize("changes", [{}, {"norm": "pre"}, {"num_heads": 1}, {"attention_only": True}, {"causal": True},
                                     {"num_heads": 3, "d_k": 5, "d_v": 7}])
@torch.no_grad()
def test_every_matrix_is_that_of_the_layers_called_one_by_one(translator, with_model, changes):
    use = with_model(**changes) if changes else translator
    walked = walk_model(use, SENTENCE, name="x")
    model, arrays = use.model, walked.arrays
    source, target = ids_of(walked)
    memory = model.encoder(source)
    close(arrays["encoder.output"], memory[0])
    close(arrays["decoder.memory"], memory[0])
    for stack, ids in (("encoder", source), ("decoder", target)):
        module = getattr(model, stack)
        x = module.embedding(ids)
        close(arrays[f"{stack}.embedding.sum"], x[0])
        sum_of = arrays[f"{stack}.embedding.scaled"] + arrays[f"{stack}.embedding.positions"]
        np.testing.assert_allclose(sum_of, arrays[f"{stack}.embedding.sum"], atol=1e-5)
        for number, layer in enumerate(module.layers, start=1):
            place = f"{stack}.{number}"
            pre = layer.self_attention_sublayer.pre_norm and not layer.self_attention_sublayer.attention_only
            close(arrays[f"{place}.self_attention.input"], x[0])
            read = layer.self_attention_sublayer.norm(x) if pre else x
            trace = layer.self_attention.trace(read, causal=stack == "decoder" or "causal" in changes)
            for field, value in trace._asdict().items():
                close(arrays[f"{place}.self_attention.{field}"], value[0])
            biases = layer.self_attention.in_projection.bias.split(layer.self_attention.widths)
            for field, bias in zip(("query", "key", "value"), biases, strict=True):
                projection, part = walked.weights[f"{place}.self_attention.projection.{field}"], getattr(trace, field)
                for head, own in enumerate(bias.unflatten(0, (part.size(1), -1))):
                    close((read[0] @ torch.from_numpy(projection[head]) + own).numpy(), part[0, head])
            x = layer(x) if stack == "encoder" else layer(x, memory)
            close(arrays[f"{place}.feed_forward.after"], x[0])
            mixing = torch.from_numpy(walked.weights[f"{place}.self_attention.out_projection"])
            joined = trace.heads[0].transpose(0, 1).flatten(1)
            close((joined @ mixing + layer.self_attention.out_projection.bias).numpy(), trace.output[0])
            if "attention_only" not in changes:
                read = arrays[f"{place}.feed_forward.{'read' if pre else 'input'}"]
                hidden, own = arrays[f"{place}.feed_forward.hidden"], layer.feed_forward
                inner, outer = (walked.weights[f"{place}.feed_forward.{name}"] for name in ("inner", "outer"))
                close(hidden, own.activation(torch.from_numpy(read @ inner) + own.inner.bias))
                close(hidden @ outer + own.outer.bias.numpy(), torch.from_numpy(arrays[f"{place}.feed_forward.output"]))
                ends = (arrays[f"{place}.feed_forward.input"], arrays[f"{place}.feed_forward.output"])
                after = arrays[f"{place}.feed_forward.{'after' if pre else 'sum'}"]
                np.testing.assert_allclose(sum(ends), after, atol=1e-5)


@torch.no_grad()
def test_the_logits_are_those_that_the_decoder_has_when_it_reads_only_so_many_tokens(translator, walked):
    model = translator.model
    source, target = ids_of(walked)
    memory = model.encoder(source)
    for length, chosen in enumerate(walked.chosen, start=1):
        hidden = model.decoder(target[:, :length], memory, tgt_mask=causal_mask(length))[0, -1]
        logits = model.decoder.logits(hidden)
        for one in chosen.candidates:
            assert one.logit == pytest.approx(logits[one.id].item(), abs=1e-4)
            assert one.probability == pytest.approx(logits.softmax(-1)[one.id].item(), abs=1e-5)
        assert [one.id for one in chosen.candidates[:10]] == logits.topk(10).indices.tolist()
        assert chosen.id in [one.id for one in chosen.candidates]


def test_the_text_is_the_translation_and_the_beam_that_of_the_search(translator, walked):
    assert walked.chosen[-1].text == translator.translate([SENTENCE])[0] == "zwei und fünf"
    source, _ = ids_of(walked)
    found, _ = search_steps(translator.model, source[0].tolist(), translator.vocabularies.target, translator.params)
    for step, chosen in zip(found, walked.chosen, strict=False):
        totals = sorted((choice.log_probability for one in step for choice in one.choices), reverse=True)
        assert [one.log_probability for one in chosen.beam] == totals
        assert sum(one.is_ours for one in chosen.beam) == 1


def test_greedy_search_and_sampling_are_walked(translator):
    greedy = walk_model(translator, SENTENCE, name="x", beam_size=1)
    assert all(not chosen.beam for chosen in greedy.chosen)
    assert greedy.chosen[-1].text == translator.translate([SENTENCE], beam_size=1)[0]
    sampling = Sampling(seed=3, temperature=40.0, top_k=30)
    drawn = walk_model(translator, SENTENCE, name="x", sampling=sampling)
    assert drawn.chosen[-1].text == translator.nbest([SENTENCE], sampling=sampling)[0][0].text
    assert any(len(chosen.candidates) == 11 for chosen in drawn.chosen), "a token beyond the ten best is shown, too"


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.7}, {"top_k": 9, "top_p": 0.5, "temperature": 2.0}])
def test_the_probabilities_of_sampling_are_those_that_are_drawn_with(translator, options):
    sampling = Sampling(seed=1, **options)
    rules = rules_for(translator.vocabularies.target, translator.params)
    size = len(translator.vocabularies.target)
    logits = torch.randn(1, size, generator=torch.Generator().manual_seed(0)) * 2
    expected = drawn_from(logits.clone(), rules, sampling)[0]
    allowed = logits.log_softmax(-1)
    allowed[:, list(rules.forbidden_ids)] = -math.inf
    uniform = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    ids = _draw((allowed / sampling.temperature).expand(20_000, -1), uniform, sampling.top_k, sampling.top_p)
    shares = torch.bincount(ids, minlength=size) / 20_000
    torch.testing.assert_close(shares.double(), expected, rtol=0, atol=2e-4)


def test_the_entries_have_the_counts_of_the_vocabulary_and_the_nearest_rows(translator, walked):
    vocabulary = translator.vocabularies.source
    weight = translator.model.encoder.embedding.weight.detach()
    for entry in walked.source_entries:
        assert vocabulary.tokens[entry["id"]] == entry["token"]
        assert vocabulary.counts[entry["id"]] == entry["count"]
        assert all(vocabulary.tokens[index] == token for index, token in entry["around"])
        near = torch.cosine_similarity(weight, weight[entry["id"]], dim=-1)
        near[entry["id"]] = -2.0
        assert entry["nearest"][0][1] == pytest.approx(near.max().item(), abs=1e-5)


def test_the_memory_file_is_described_as_torch_reads_it(walked):
    content = dict(walked.memory_file)
    length, width = walked.arrays["encoder.output"].shape
    assert content["tensors.values"] == f"float32 [{length}, {width}]"
    assert content["tensors.offsets"] == f"int64 [2]: [0, {length}]"


@pytest.mark.parametrize("sentence", ["", " \t", "one " * 60])
def test_what_cannot_be_walked_is_refused(translator, sentence):
    with pytest.raises(StageformerError, match=r"the sentence (is empty|has \d+ tokens)"):
        walk_model(translator, sentence, name="x")


@pytest.mark.parametrize("search", ["greedy", "beam", "sampling"])
def test_every_step_has_words_and_lines_of_our_code(search, walked, bare):
    found = explanations(dataclasses.replace(walked, search=search))
    for explanation in found.values():
        assert explanation.text.endswith(".")
        assert all(1 <= excerpt.code.count("\n") + 1 <= 10 for excerpt in explanation.code)
    assert "softmax" in found["probabilities"].code[0].code
    assert ("section 6.1" in found["probabilities"].place) == (search == "beam")
    shapes = [bare.shape]
    for norm, positions in (("pre", "learned"), ("post", "none")):
        stack = dataclasses.replace(walked.shape.config.encoder, norm=norm)
        source = dataclasses.replace(walked.shape.config.source, positions=positions)
        shapes.append(Shape(dataclasses.replace(walked.shape.config, encoder=stack, decoder=stack, source=source), 3))
    kinds = {step.kind for step, _ in steps(shapes)}
    assert kinds == set(found) == set(_KINDS)


def test_an_excerpt_is_what_the_file_holds_and_a_missing_line_is_an_error():
    found = excerpt(causal_mask, "return")
    assert found.file == "stageformer/model/attention.py"
    assert found.code == "return torch.ones(length, length, dtype=torch.bool, device=device).tril()"
    with pytest.raises(ValueError, match="causal_mask has no line with 'nowhere'"):
        excerpt(causal_mask, "nowhere")


def test_the_bare_stack_has_only_the_steps_that_it_takes(walked, bare):
    found = steps([walked.shape, bare.shape])
    assert len({step.id for step, _ in found}) == len(found)
    own = [step for step, taken in found if taken[1]]
    assert {step.sublayer for step in own} == {"", "self_attention", "cross_attention"}
    assert not {"residual", "norm_before", "feed_forward"} & {step.kind for step in own}
    assert [step.token for step, _ in found] == [*sorted(step.token for step, _ in found[:-1]), 0]


def test_the_words_and_formulas_are_those_of_the_model(walked):
    config = walked.shape.config
    gelu = dataclasses.replace(config.decoder, activation="gelu")
    target = dataclasses.replace(config.target, scale=False)
    other = dataclasses.replace(config, decoder=gelu, target=target, tie_output=False)
    changed = dataclasses.replace(walked, shape=walked.shape._replace(config=other), is_by_count=False)
    plain, found = explanations(walked), explanations(changed)
    assert "max(0, " in plain["feed_forward"].formula == found["feed_forward"].formula
    assert "GELU(" in found["decoder feed_forward"].formula
    assert "decoder feed_forward" not in plain
    assert "√" in plain["target_embedding"].formula
    assert "√" not in found["target_embedding"].formula
    assert "<i>E</i>" not in found["logits"].formula
    assert "a small id is a frequent token" in plain["ids"].text
    assert "a small id is a frequent token" not in found["ids"].text
    for kind, linear in {"projections": 3, "projections_cross": 3, "output": 1, "feed_forward": 2}.items():
        assert plain[kind].formula.count("<i>b<") == linear, "every linear layer has a bias"


def test_the_tour_shows_each_kind_of_step_once_and_ends_with_the_translation(walked, bare):
    for shapes in ([walked.shape], [bare.shape], [walked.shape, bare.shape], [walked.shape._replace(tokens=1)]):
        found = [step for step, _ in steps(shapes)]
        shown = tour(found)
        assert 12 <= len(shown) <= 19
        assert [found.index(step) for step in shown] == sorted(found.index(step) for step in shown)
        assert [step.kind for step in shown][-4:] == ["softmax", "logits", "probabilities", "result"]
        assert {step.token for step in shown} == {0, 1, min(3, max(shape.tokens for shape in shapes))}
        assert len({(step.kind, step.stack, step.sublayer) for step in shown}) == len(shown)
        assert {"ids", "embedding", "positions", "projections", "output", "memory", "read"} <= {
            one.kind for one in shown
        }


@torch.no_grad()
def test_a_weight_too_large_for_sixteen_bits_is_written_in_full(walked):
    name = "encoder.1.self_attention.out_projection"
    large = dataclasses.replace(walked, weights=walked.weights | {name: walked.weights[name] + np.float32(1000)})
    arrays = large.as_json(KINDS_OF_WEIGHTS)["arrays"]
    for one, weight in large.weights.items():
        shape, text, *rest = arrays[one]
        content = base64.b64decode(text)
        if one == name:
            assert (np.frombuffer(content, "<f4").reshape(shape) == weight).all()
            assert not rest
        else:
            assert np.abs(np.frombuffer(content, "<i2").reshape(shape) / rest[0] - weight).max() < 0.500001e-4


def test_the_same_matrix_is_written_once(walked):
    arrays = walked.as_json(())["arrays"]
    assert arrays["decoder.memory"] == "encoder.output"
    for name, value in walked.arrays.items():
        other = arrays[name] if isinstance(arrays[name], str) else name
        assert (walked.arrays[other] == value).all()
        assert not isinstance(arrays[other], str)


def test_tokens_are_shown_as_the_text_spells_them(translator):
    walked = walk_model(translator, STRANGE, name="x")
    (tokens,) = translator.tokenizers.source.encode_batch([walked.normalised])
    assert [entry["spelled"] for entry in walked.source_entries] == [*tokens, "<eos>"]
    (unknown,) = [entry for entry in walked.source_entries if "\u9580" in entry["spelled"]]
    assert unknown["token"] == "<unk>"


def test_a_causal_encoder_shows_its_mask_beside_one_without(walked):
    causal = dataclasses.replace(walked.shape.config.encoder, causal=True)
    masked = walked.shape._replace(config=dataclasses.replace(walked.shape.config, encoder=causal))
    found = [
        {step.id for step, taken in steps([walked.shape, masked]) if taken[model] and "scores" in step.kind}
        for model in (0, 1)
    ]
    place = "encoder/1/self_attention/scores"
    assert place in found[0] - found[1]
    assert f"{place}_masked" in found[1] - found[0]
    assert {name for name in found[0] if "decoder" in name} == {name for name in found[1] if "decoder" in name}


def test_the_page_needs_nothing_and_the_same_walk_gives_the_same_bytes(walked, pages, tmp_path):
    text = (pages / "one.html").read_text("utf-8")
    assert "encoder.1.self_attention.projection" in text
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", text)
    write_walk([walked], tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text("utf-8") == text


def test_hostile_text_stays_text(translator, tmp_path):
    hostile = "</script><b>&"
    write_walk([walk_model(translator, hostile, name="<x>")], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert hostile not in text
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data[1])["models"][0]["source"] == hostile


def test_twenty_tokens_of_a_model_of_width_128_fit_in_5_mib(with_model, tmp_path):
    translator = with_model()
    config = translator.model.config
    wide = {"d_model": 128}
    stack = {**wide, "num_layers": 6, "num_heads": 4, "d_ff": 512}
    config = dataclasses.replace(
        config, **{side: dataclasses.replace(getattr(config, side), **wide) for side in ("source", "target")},
        **{side: dataclasses.replace(getattr(config, side), **stack) for side in ("encoder", "decoder")},
    )  # fmt: skip
    from stageformer.memory.sources.encoder import EncoderSource
    from stageformer.model.transformer import Transformer
    from stageformer.translator.engine import OwnEngine

    model = Transformer(config).eval()
    params = translator.params.model_copy(update={"max_length_ratio": 1.0, "max_length_offset": 0, "beam_size": 1})
    source = EncoderSource(model.encoder, translator.vocabularies.source.pad_id)
    engine = OwnEngine(model.decoder, source, translator.vocabularies, translator.pool)
    large = dataclasses.replace(translator, model=model, source=source, params=params, engine=engine)
    walked = walk_model(large, "two one four five", name="large")
    assert len(walked.source_entries) >= 17
    assert write_walk([walked], tmp_path / "page.html") == ["attention", "feed_forward"]
    size = (tmp_path / "page.html").stat().st_size
    assert size / len(walked.source_entries) * 20 < 5 * 2**20
    assert size < 5 * 2**20
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "encoder.1.self_attention.out_projection" in page
    assert "encoder.1.self_attention.projection" not in page, "left out where it is too much"


def test_the_command_writes_the_page_and_says_what_came_out(toy_root, tmp_path):
    page = tmp_path / "walk.html"
    arguments = ["walk", SENTENCE, "--root", str(toy_root), "--against", str(toy_root), "--output", str(page)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout == "zwei und fünf\nzwei und fünf\n"
    assert page.stat().st_size > 100_000
    wrong = CliRunner().invoke(main, ["walk", SENTENCE, "--root", str(toy_root), "--temperature", "2"])
    assert "--temperature has no effect without --sample" in wrong.output


def test_a_model_whose_logits_overflow_is_refused(translator, with_model):
    overflowing = with_model()
    with torch.no_grad():
        for weight in overflowing.model.parameters():
            weight.mul_(1e30)
    with pytest.raises(StageformerError, match="the logits of the model are not finite"):
        walk_model(overflowing, "two and five", name="toy")
