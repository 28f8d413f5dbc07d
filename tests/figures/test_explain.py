import shutil

import pytest
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.figures.explain import explain
from stageformer.translator.translator import Translator


@pytest.fixture(scope="module")
def translator(toy_root):
    return Translator.load(toy_root)


def test_the_decoder_reads_the_translation_that_is_printed(translator):
    found = explain(translator, " two and\u00a0five ", layer=1, head=2)
    assert [each.operation.kind for each in found] == ["encoder", "decoder", "cross"]
    (expected,) = translator.translate(["two and five"])
    encoder, decoder, cross = (each.operation for each in found)
    for each in found:
        assert (each.source, each.translation) == ("two and five", expected)
        assert (each.operation.layer, each.operation.head, each.operation.num_heads) == (1, 2, 4)
    assert "".join(encoder.key_tokens) == "two and five<eos>"
    assert "".join(decoder.query_tokens) == f"<bos>{expected}"
    assert cross.query_tokens == decoder.query_tokens
    assert cross.key_tokens == encoder.key_tokens


def test_the_translation_is_that_of_beam_search_where_greedy_search_finds_another(translator):
    # What the toy model never saw: which of these the two searches disagree on depends on the last bits of its weights.
    words = ["ein", "fort", "sixe", "onetwo", "thre", "fivesix", "und", "fo"]
    sentences = [f"{first} {second}" for first in words for second in words]
    by_beam, by_greedy = translator.translate(sentences), translator.translate(sentences, beam_size=1)
    different = [pair for pair in zip(sentences, by_beam, by_greedy, strict=True) if pair[1] and pair[1] != pair[2]]
    assert different
    for sentence, expected, _ in different[:3]:
        (found,) = explain(translator, sentence, layer=1, head=1, kinds=["cross"])
        assert found.translation == expected


def test_a_given_translation_is_read(translator):
    (found,) = explain(translator, "two", layer=2, head=1, kinds=["decoder"], translation="eins?")
    assert found.operation.query_tokens == ["<bos>", "e", "i", "n", "s", "<unk>"]
    assert found.translation == "eins?"
    (found,) = explain(translator, "two", layer=2, head=1, kinds=["cross"], translation="")
    assert found.operation.query_tokens == ["<bos>"]
    assert found.picture("svg").startswith(b"<?xml")


@pytest.mark.parametrize(
    ("sentence", "options", "message"),
    [
        ("two", {"layer": 3}, "layer 3: the encoder has layers 1 to 2"),
        ("two", {"layer": 0, "kinds": ["cross"]}, "layer 0: the decoder has layers 1 to 2"),
        ("two", {"head": 5, "kinds": ["decoder"]}, "head 5: the decoder has heads 1 to 4"),
        ("two", {"head": -1}, "head -1: the encoder has heads 1 to 4"),
        (" \t", {}, "the sentence is empty"),
        ("one " * 20, {}, "the sentence has 80 tokens, a picture holds at most 48"),
        ("two", {"translation": "zwei " * 20}, "the translation has 100 tokens, a picture holds at most 48"),
    ],
)
def test_mistakes_are_reported(translator, sentence, options, message):
    with pytest.raises(StageformerError) as caught:
        explain(translator, sentence, **{"layer": 1, "head": 1} | options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.fixture
def run(toy_root, tmp_path, monkeypatch):
    root = shutil.copytree(toy_root, tmp_path / "root")
    monkeypatch.chdir(root)
    return lambda *arguments: CliRunner().invoke(main, ["explain", *arguments])


def files_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".png", ".svg"))


def test_the_command_writes_three_pictures_in_both_formats(run, tmp_path):
    result = run("two", "--layer", "2", "--head", "3")
    assert result.exit_code == 0, result.output
    expected = [f"attention-2-3-{kind}.{end}" for kind in ("cross", "decoder", "encoder") for end in ("png", "svg")]
    assert files_in(tmp_path / "root") == expected
    assert sorted(result.stdout.split()) == expected


def test_the_command_writes_the_file_that_is_named(run, tmp_path):
    assert run("two", "--kind", "cross", "--output", "new/a.b.svg").exit_code == 0
    assert files_in(tmp_path / "root/new") == ["a.b.svg"]
    assert run("two", "--kind", "cross", "--output", "new/v1.2").exit_code == 0
    assert files_in(tmp_path / "root/new") == ["a.b.svg", "v1.2.png", "v1.2.svg"]
    assert (tmp_path / "root/new/v1.2.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "root/new/v1.2.svg").read_bytes() == (tmp_path / "root/new/a.b.svg").read_bytes()


def test_a_mistake_is_one_line_and_writes_nothing(run, tmp_path):
    result = run("two", "--layer", "9")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: layer 9")
    assert result.stderr.count("\n") == 1
    assert files_in(tmp_path / "root") == []
