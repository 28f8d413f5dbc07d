import shutil

import pytest
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.translate import Translator, translate_file

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


def test_a_file_has_as_many_translations_as_lines(translator, tmp_path):
    source, output = tmp_path / "in.txt", tmp_path / "new/out.txt"
    for content, expected in (
        ("\ufefftwo\r\n\nthree\r\n", "zwei\n\ndrei\n"),
        ("two\n\nthree", "zwei\n\ndrei\n"),
        ("\n", "\n"),
        ("", ""),
    ):
        source.write_bytes(content.encode())
        translate_file(translator, source, output)
        assert output.read_text() == expected


def test_a_bad_file_is_one_line_and_the_old_output_stays(translator, tmp_path):
    source, output = tmp_path / "in.txt", tmp_path / "out.txt"
    output.write_text("before")
    source.write_bytes("one\nfünf\n".encode("latin-1"))
    with pytest.raises(StageformerError, match=r"in\.txt, line 2: byte 0xfc at 2 is not UTF-8"):
        translate_file(translator, source, output)
    source.write_text("one\n\n" + "one " * 20)
    with pytest.raises(StageformerError, match=r"in\.txt, line 3: 80 tokens with <eos>, the model takes 48"):
        translate_file(translator, source, output)
    with pytest.raises(StageformerError, match=r"missing\.txt: no such file"):
        translate_file(translator, tmp_path / "missing.txt", output)
    assert output.read_text() == "before"


def test_without_a_model_the_message_says_what_to_run(toy_root, tmp_path):
    with pytest.raises(StageformerError, match="dvc repro"):
        Translator.load(tmp_path)


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


def test_the_command_translates_a_file(run, tmp_path):
    (tmp_path / "in").write_text("four\nfive\n")
    result = run("--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out").read_text() == "vier\nfünf\n"
    assert run("--input", str(tmp_path / "in")).exit_code == 2
    assert run("one", "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")).exit_code == 2


def test_the_search_is_that_of_the_parameters(toy_root, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(toy_root, root)
    text = (root / "params.yaml").read_text()
    short = text.replace("max_length_ratio: 2.0", "max_length_ratio: 0")
    short = short.replace("max_length_offset: 10", "max_length_offset: 5")
    (root / "params.yaml").write_text(short)
    assert Translator.load(root).translate(["two and five"]) == ["zwei"]
    (root / "params.yaml").write_text(text.replace("evaluate:", "evaluat:"))
    with pytest.raises(StageformerError, match="evaluate"):
        Translator.load(root)
