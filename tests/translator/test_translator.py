import json
import math
import os
import pty
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.decoding.sampling import Sampling
from stageformer.errors import StageformerError
from stageformer.export.ctranslate2_model import save_ctranslate2
from stageformer.translator.ctranslate2_engine import CTranslate2Engine
from stageformer.translator.translator import Translator

SENTENCES = ["two and five", "one", "", "six six  three\u00a0and four", "   "]
EXPECTED = ["zwei und fünf", "eins", "", "sechs sechs drei und vier", ""]


@pytest.fixture(scope="module")
def translator(toy_root):
    return Translator.load(toy_root)


def test_translations_stand_in_the_order_of_the_sentences_and_empty_ones_stay_empty(translator):
    assert translator.translate(SENTENCES) == EXPECTED
    assert translator.translate(SENTENCES, beam_size=1) == EXPECTED
    assert translator.translate([]) == []


def test_input_is_normalised_as_in_training(translator):
    assert translator.translate(["\ttwo  and\u2003five\r"]) == ["zwei und fünf"]


def test_without_a_model_the_message_says_what_to_run(toy_root, tmp_path):
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(toy_root / name, tmp_path)
    with pytest.raises(StageformerError, match="there is no model; make it with `dvc repro`"):
        Translator.load(tmp_path)


def test_one_text_is_not_taken_for_a_list_of_letters(translator):
    with pytest.raises(TypeError, match="give a list of sentences"):
        translator.translate("two")


def test_an_unknown_engine_is_refused(toy_root):
    with pytest.raises(StageformerError, match=r"no engine 'ctranslate' \(did you mean 'ctranslate2'\?\)"):
        Translator.load(toy_root, engine="ctranslate")


def test_the_repository_is_found_from_a_folder_in_it(toy_root, monkeypatch):
    monkeypatch.chdir(toy_root / "data/vocab")
    assert Translator.load().translate(["two"]) == ["zwei"]
    result = CliRunner().invoke(main, ["translate", "two"])
    assert (result.exit_code, result.stdout) == (0, "zwei\n")


def test_outside_of_any_repository_the_message_says_so(toy_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["translate", "two"])
    assert result.exit_code == 2
    assert "neither this folder nor one above it is a repository of Stageformer" in result.stderr
    result = CliRunner().invoke(main, ["translate", "two", "--root", str(toy_root)])
    assert (result.exit_code, result.stdout) == (0, "zwei\n")


@pytest.fixture
def run(toy_root, monkeypatch):
    monkeypatch.chdir(toy_root)
    return lambda *arguments, **options: CliRunner().invoke(main, ["translate", *arguments], **options)


def test_the_command_translates_its_arguments(run):
    result = run("two and five", "one", "--beam-size", "2")
    assert (result.exit_code, result.stdout) == (0, "zwei und fünf\neins\n")


def test_the_command_answers_standard_input_line_by_line(run):
    result = run(input="two\n\nsix\n")
    assert (result.exit_code, result.stdout) == (0, "zwei\n\nsechs\n")
    result = run(input="two\n" + "one " * 20)
    assert result.exit_code == 2
    assert "standard input, line 2: 80 tokens" in result.stderr


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\ufefftwo\r\n\nthree\r\n", "zwei\n\ndrei\n"),
        ("two\n\nthree", "zwei\n\ndrei\n"),
        ("\n", "\n"),
        ("", ""),
    ],
)
def test_a_file_has_as_many_translations_as_lines(run, tmp_path, content, expected):
    (tmp_path / "in").write_bytes(content.encode())
    result = run("--input", str(tmp_path / "in"), "--output", str(tmp_path / "new/out"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new/out").read_text() == expected


def test_a_bad_file_is_one_line_and_the_old_output_stays(run, tmp_path):
    source, output = tmp_path / "in.txt", tmp_path / "out.txt"
    output.write_text("before")
    for content, message in (
        ("one\nfünf\n".encode("latin-1"), "in.txt, line 2: byte 0xfc at 2 is not UTF-8"),
        (b"one\n\n" + b"one " * 20, "in.txt, line 3: 80 tokens with <eos>, the model takes 48"),
        (None, "in.txt: no such file"),
    ):
        source.unlink(missing_ok=True)
        if content is not None:
            source.write_bytes(content)
        result = run("--input", str(source), "--output", str(output))
        assert result.exit_code == 2
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert output.read_text() == "before"


@pytest.mark.parametrize(
    "options",
    [["--output", "x"], ["one", "--output", "x"], ["one", "--input", "x", "--output", "y"], ["--score", "x"],
     ["one", "--nbest", "3", "--beam-size", "2"], ["--input", "x", "--output", "y", "--attention"],
     ["one", "--temperature", "0"], ["one", "--top-p", "0"], ["one", "--seed", "-1"]],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(run, options):
    result = run(*options)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_nbest_lists_number_score_and_text(run, translator):
    result = run("two and five", "", "one", "--nbest", "3")
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == ["1"] * 3 + [""] + ["3"] * 3
    assert lines[0][2] == "zwei und fünf"
    assert lines[4][2] == "eins"
    scores = [float(line[1]) for line in lines[:3]]
    assert scores == sorted(scores, reverse=True)
    found = translator.nbest(["two and five"], number=3)[0]
    assert [f"{translation.score:.4f}" for translation in found] == [line[1] for line in lines[:3]]
    assert len({translation.text for translation in found}) == 3


def test_more_translations_than_the_beam_widen_it(translator):
    assert len(translator.nbest(["one"], number=translator.params.beam_size + 2)[0]) == translator.params.beam_size + 2


def test_samples_follow_from_the_seed_and_the_number_of_the_line(run, translator):
    sampling = Sampling(seed=3, temperature=4.0, top_k=0, top_p=1.0)
    found = translator.nbest(["one", "one", "", "one"], number=2, sampling=sampling)
    texts = [translation.text for translations in found for translation in translations]
    assert len(set(texts)) > 3, "hot: hardly two are alike"
    assert translator.nbest(["one"], number=2, sampling=sampling, first_line=4)[0][0].text == found[3][0].text
    options = ["--sample", "--seed", "3", "--temperature", "4", "--nbest", "2"]
    typed = run(*options, input="one\none\n\none\n").stdout.splitlines()
    assert [line.split("\t")[2] for line in typed if line] == texts
    assert run("two", "--sample", "--top-k", "1").stdout == "zwei\n"
    assert run("two", "--sample", "--top-p", "0.01").stdout == "zwei\n"


def test_a_prefix_begins_every_translation(run):
    assert run("two and five", "--prefix", "sechs").stdout.startswith("sechs")
    result = run("two", "--prefix", "Zebra")
    assert result.exit_code == 2
    assert "prefix: 'Z' is not in the vocabulary" in result.stderr
    assert "prefix: 50 tokens with <eos>, the model takes 48" in run("two", "--prefix", "eins " * 10).stderr


def test_given_translations_are_scored(run, translator, tmp_path):
    (tmp_path / "in").write_text("two and five\n\none\n")
    (tmp_path / "out").write_text("zwei und fünf\n\nsechs\n")
    result = run("--input", str(tmp_path / "in"), "--score", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    (good, good_perplexity), empty, (bad, _) = [
        tuple(map(float, line.split("\t"))) for line in result.stdout.splitlines()
    ]
    assert all(map(math.isnan, empty))
    found = translator.nbest(["two and five"], beam_size=1)[0][0]
    assert good == pytest.approx(found.score * (6 / (5 + len(found.ids) + 1)) ** -0.6, abs=1e-3)
    assert good_perplexity == pytest.approx(math.exp(-good / (len(found.ids) + 1)), abs=1e-3)
    assert bad < good - 3
    (tmp_path / "out").write_text("zwei\n")
    result = run("--input", str(tmp_path / "in"), "--score", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "3 sentences, but 1 translations to score" in result.stderr


def test_the_attention_of_each_token_is_drawn(run):
    lines = run("two", "--attention").stdout.splitlines()
    assert lines[0] == "zwei"
    rows = [line for line in lines if line.split() and line.split()[0] in ("z", "w", "e", "i", "<eos>")]
    assert len(rows) >= 5
    assert any("█" in line or "▓" in line for line in rows)
    assert lines[-2].endswith("75% or more")


def test_a_file_alone_is_translated_to_standard_output(run, tmp_path):
    (tmp_path / "in").write_text("two\n\none\n")
    result = run("--input", str(tmp_path / "in"))
    assert (result.exit_code, result.stdout) == (0, "zwei\n\neins\n")


def test_json_has_a_line_for_each_sentence(run, translator, tmp_path):
    (tmp_path / "in").write_text("two and five\n\n")
    found = translator.nbest(["two and five"], number=2)[0]
    vocabulary = translator.vocabularies.target
    expected = [
        {"text": text, "score": score, "tokens": vocabulary.to_tokens(ids), "ids": ids} for text, score, ids in found
    ]
    for options in (["two and five", ""], ["--input", str(tmp_path / "in")]):
        lines = run(*options, "--nbest", "2", "--json").stdout.splitlines()
        assert list(map(json.loads, lines)) == [
            {"sentence": 1, "source": "two and five", "translations": expected},
            {"sentence": 2, "source": "", "translations": []},
        ]
    (line,) = run("two", "--attention", "--json").stdout.splitlines()
    attention = json.loads(line)["translations"][0]["attention"]
    assert attention["target"] == ["z", "w", "e", "i", "<eos>"]
    weights = attention["weights"]
    assert [len(row) for row in weights] == [len(attention["source"])] * 5
    assert [sum(row) for row in weights] == pytest.approx([1] * 5, abs=1e-5)
    (tmp_path / "out").write_text("zwei und fünf\n\n")
    scored = run("--input", str(tmp_path / "in"), "--score", str(tmp_path / "out"), "--json").stdout.splitlines()
    (score, none) = translator.score(["two and five", ""], ["zwei und fünf", ""])
    assert list(map(json.loads, scored)) == [
        {
            "sentence": 1, "log_probability": score.log_probability,
            "perplexity": math.exp(-score.log_probability / score.tokens),
        },
        {"sentence": 2, "log_probability": None, "perplexity": None},
    ]  # fmt: skip
    assert none is None


def test_without_an_export_the_message_says_what_to_run(run):
    result = run("one", "--engine", "ctranslate2")
    assert result.exit_code == 2
    assert "dvc repro export" in result.stderr or "stageformer[export]" in result.stderr


@pytest.fixture(scope="module")
def ctranslate2_engine(toy_root, translator, tmp_path_factory):
    pytest.importorskip("ctranslate2")
    folder = tmp_path_factory.mktemp("ctranslate2")
    save_ctranslate2(translator.model, translator.vocabularies, folder, quantization=None)
    return CTranslate2Engine(folder, translator.vocabularies, threads=1)


def test_another_engine_translates_as_ours_does(translator, ctranslate2_engine):
    other = replace(translator, engine=ctranslate2_engine)
    assert other.translate(SENTENCES) == translator.translate(SENTENCES)
    assert other.translate(["two and five"], beam_size=1) == ["zwei und fünf"]


@pytest.mark.parametrize("options", [{"number": 2}, {"sampling": Sampling(seed=1)}, {"prefix": "zwei"}])
def test_an_engine_that_cannot_do_what_is_asked_for_says_so(translator, ctranslate2_engine, options):
    with pytest.raises(StageformerError, match="ctranslate2 returns only the best translation"):
        replace(translator, engine=ctranslate2_engine).nbest(["one"], **options)


@pytest.mark.parametrize(("name", "value"), [("early_stopping", "true"), ("min_length_ratio", "0.5")])
def test_an_engine_that_cannot_do_what_the_parameters_ask_says_so(
    toy_root, translator, ctranslate2_engine, tmp_path, name, value
):
    root = shutil.copytree(toy_root, tmp_path / "copy")
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(re.sub(rf"^  {name}: .*", f"  {name}: {value}", text, flags=re.MULTILINE))
    strict = replace(Translator.load(root), engine=ctranslate2_engine)
    with pytest.raises(StageformerError, match="ctranslate2 supports neither translate"):
        strict.translate(["one"])


def test_a_terminal_is_prompted_and_a_mistake_in_a_line_forgiven(toy_root):
    """In a pseudo-terminal: what is typed is answered at once, before the next line is."""
    master, slave = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", "from stageformer.cli import main; main()", "translate", "--nbest", "2"],
        cwd=toy_root, env=environment, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        os.close(slave)
        os.write(master, b"two\n")
        first = [process.stdout.readline().decode() for _ in range(2)]
        os.write(master, b"one " * 20 + b"\n" + b"six\n\x04")
        rest, errors = (stream.read().decode() for stream in (process.stdout, process.stderr))
    os.close(master)
    assert first[0].startswith("   -0.")
    assert first[0].endswith("  zwei\n")
    assert rest.splitlines()[0].endswith("  sechs")
    message = "error: standard input, line 2: 80 tokens with <eos>, the model takes 48"
    assert errors.startswith(f"> > {message}")
    assert errors.endswith("\n> > ")


def test_the_search_is_that_of_the_parameters(toy_root, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(toy_root, root)
    text = (root / "params.yaml").read_text()
    short = text.replace("max_length_ratio: 2.0", "max_length_ratio: 0")
    short = short.replace("max_length_offset: 10", "max_length_offset: 5")
    (root / "params.yaml").write_text(short)
    assert Translator.load(root).translate(["two and five"]) == ["zwei"]
    (root / "params.yaml").write_text(text.replace("\ntranslate:", "\ntranslat:"))
    with pytest.raises(StageformerError, match="translate"):
        Translator.load(root)
