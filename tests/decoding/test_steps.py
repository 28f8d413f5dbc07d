"""The steps that are printed are those of the search, and the numbers beside them those of the model."""

from __future__ import annotations

import math
import shutil

import pytest
import torch
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.decoding.steps import search_steps
from stageformer.kernels import choice as kernel_choice
from stageformer.text.conversion import source_ids
from stageformer.translator.translator import Translator


@pytest.fixture(scope="module")
def translator(toy_root):
    return Translator.load(toy_root)


def steps_of(translator, text, **options):
    (ids,) = source_ids([text], translator.tokenizers.source, translator.vocabularies.source)
    return ids, *search_steps(translator.model, ids, translator.vocabularies.target, translator.params, **options)


def logits_after(translator, source, ids):
    with torch.no_grad():
        return translator.model.decoder.logits(translator.model(torch.tensor([source]), torch.tensor([ids]))[0, -1])


@pytest.mark.parametrize("text", ["two and five", "six six three and four"])
def test_greedy_takes_the_largest_logit_that_is_allowed(translator, text):
    source, steps, found = steps_of(translator, text, beam_size=1)
    vocabulary = translator.vocabularies.target
    ids = [vocabulary.bos_id]
    for number, (step,) in enumerate(steps, start=1):
        assert (step.ids, step.mask_shape) == (ids, (number, number))
        logits = logits_after(translator, source, ids)
        largest = logits.sort(descending=True)
        assert [index for index, _ in step.logits] == largest.indices[:10].tolist()
        assert [logit for _, logit in step.logits] == pytest.approx(largest.values[:10].tolist(), abs=1e-4)
        logits[[vocabulary.pad_id, vocabulary.bos_id, vocabulary.unk_id]] = -math.inf
        assert [choice.id for choice in step.choices] == [int(logits.argmax())]
        ids = [*ids, step.choices[0].id]
    assert ids == [vocabulary.bos_id, *found.ids, vocabulary.eos_id]
    assert translator.nbest([text], beam_size=1)[0][0].ids == found.ids


@pytest.mark.parametrize("beam_size", [2, 3])
def test_the_beam_holds_the_most_probable_continuations(translator, beam_size):
    source, steps, found = steps_of(translator, "six six three and four", beam_size=beam_size)
    vocabulary = translator.vocabularies.target
    totals, ended = {(vocabulary.bos_id,): 0.0}, 0
    for step in steps:
        assert [tuple(hypothesis.ids) for hypothesis in step] == list(totals)
        every = {}
        for ids, total in totals.items():
            log_probabilities = logits_after(translator, source, list(ids)).double().log_softmax(0)
            log_probabilities[[vocabulary.pad_id, vocabulary.bos_id, vocabulary.unk_id]] = -math.inf
            every |= {(*ids, index): total + value for index, value in enumerate(log_probabilities.tolist())}
        best = sorted(every, key=every.__getitem__, reverse=True)[: beam_size - ended]
        shown = {(*hypothesis.ids, choice.id): choice for hypothesis in step for choice in hypothesis.choices}
        assert shown.keys() == set(best)
        for ids, choice in shown.items():
            assert choice.log_probability == pytest.approx(every[ids], abs=1e-3)
        ended += sum(ids[-1] == vocabulary.eos_id for ids in best)
        totals = {ids: every[ids] for ids in best if ids[-1] != vocabulary.eos_id}
    assert translator.nbest(["six six three and four"], beam_size=beam_size)[0][0].ids == found.ids


def test_a_prefix_is_chosen_whatever_its_logit(translator):
    prefix = translator.encode_prefix("sechs")
    _, steps, found = steps_of(translator, "two and five", beam_size=1, prefix=prefix)
    assert [step.choices[0].id for (step,) in steps][: len(prefix)] == prefix
    assert found.ids[: len(prefix)] == prefix


def test_the_command_prints_the_steps_and_the_translation(toy_root):
    arguments = ["translate", "--root", str(toy_root), "two and five", "--steps", "--beam-size"]
    result = CliRunner().invoke(main, [*arguments, "1"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "step 1: tgt_mask [1, 1]"
    assert lines[1].split()[:3] == ["ids", "so", "far"]
    assert lines[2].split() == ["tokens", "<bos>"]
    assert lines[3].split() == ["id", "logit", "token"]
    assert len([line for line in lines if "chosen, log-probability" in line]) == len(
        [line for line in lines if line.startswith("step ")]
    )
    assert lines[-1] == "zwei und fünf"
    result = CliRunner().invoke(main, [*arguments, "2"])
    assert "step 2, hypothesis 1 of 2: tgt_mask [2, 2]" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "zwei und fünf"


@pytest.mark.parametrize("others", [["--sample"], ["--engine", "ctranslate2"]])
def test_steps_are_of_our_search(toy_root, others):
    result = CliRunner().invoke(main, ["translate", "--root", str(toy_root), "two", "--steps", *others])
    assert result.exit_code == 2
    assert "--steps is for sentences" in result.stderr


@pytest.mark.parametrize("kernels", ["reference", "fast"])
def test_translate_computes_with_the_kernels_of_the_repository(toy_root, tmp_path, kernels):
    root = shutil.copytree(toy_root, tmp_path / "root")
    text = (root / "params.yaml").read_text(encoding="utf-8")
    assert "kernels: fast" in text
    (root / "params.yaml").write_text(text.replace("kernels: fast", f"kernels: {kernels}"), encoding="utf-8")
    with kernel_choice.kernels("fast" if kernels == "reference" else "reference"):
        assert Translator.load(root).translate(["two and five"]) == ["zwei und fünf"]
        assert kernel_choice._chosen == kernels
