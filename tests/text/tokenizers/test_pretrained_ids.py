"""The ids of tokenizers of others, held against the programs that they come from, on 1,000 sentences."""

from __future__ import annotations

import base64
import functools
import json
import re
import subprocess
from pathlib import Path

import pytest
import tiktoken
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from instant_clip_tokenizer import Tokenizer as InstantClip
from tiktoken.load import data_gym_to_mergeable_bpe_ranks, load_tiktoken_bpe

from stageformer.errors import StageformerError
from stageformer.text.form import Form
from stageformer.text.tokenizers._pretrained_files import read_pretrained
from stageformer.text.tokenizers.pretrained import PretrainedTokenizer
from stageformer.text.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from tests.text.tokenizers.test_pretrained import ids, read, sentences

# As OpenAI publishes them.
GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
CL100K = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"""
    r"""|\s+(?!\S)|\s"""
)
O200K = "|".join(
    [
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""\p{N}{1,3}""",
        r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
        r"""\s*[\r\n]+""",
        r"""\s+(?!\S)""",
        r"""\s+""",
    ]
)


def thousand() -> list[str]:
    """1,000 sentences, none of which spells a special token: the libraries differ in what they make of that."""
    special = re.compile(r"<\|endoftext\|>|\[(SEP|PAD|CLS|UNK|MASK)\]|</?s>|<pad>|<unk>")
    return [special.sub("CamelCase 12345!?/ it's I'LL", text) for text in sentences()]


def test_clip(clip: Path, tmp_path: Path) -> None:
    tokenizer, vocabulary = read(clip)
    theirs = InstantClip()
    texts = thousand()
    assert ids(tokenizer, vocabulary, texts) == [theirs.encode(text) for text in texts]
    assert (vocabulary.bos_id, vocabulary.eos_id) == (theirs.start_of_text(), theirs.end_of_text()) == (49406, 49407)
    assert tokenizer.roles == {PAD: None, EOS: "<|endoftext|>", BOS: "<|startoftext|>", UNK: None}
    assert tokenizer.decode(tokenizer.encode_batch(["Hello  World, größe!"])[0]) == "hello world , größe !"


def test_clip_as_transformers_saves_it(clip: Path, tmp_path: Path) -> None:
    """``vocab.json`` and ``merges.txt``, and a folder with the configuration of a model."""
    from transformers import CLIPTokenizer

    library = read_pretrained(clip)
    assert not isinstance(library, Path)
    state = json.loads(library.to_str())["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(state["vocab"]))
    merges = "\n".join(" ".join(pair) for pair in state["merges"])
    (tmp_path / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
    theirs = CLIPTokenizer(vocab=state["vocab"], merges=[tuple(pair) for pair in state["merges"]])
    theirs.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "tokenizer.json").rename(tmp_path / "elsewhere.json")
    texts = thousand()
    wanted = [theirs(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert ids(*read(tmp_path), texts) == wanted
    assert ids(*read(tmp_path / "merges.txt"), texts) == wanted


def test_a_file_of_ranks(cl100k: Path, tmp_path: Path) -> None:
    file = cl100k / "cl100k_base.tiktoken"
    tokenizer, vocabulary = read(file)
    ranks = load_tiktoken_bpe(str(file))
    texts = [*thousand(), "a\n\n b\r\n  c\t d", "1234567 x", "  \n", "DON'T don'T"]
    theirs = tiktoken.Encoding("cl100k", pat_str=CL100K, mergeable_ranks=ranks, special_tokens={})
    assert ids(tokenizer, vocabulary, texts) == [theirs.encode_ordinary(text) for text in texts]
    assert [tokenizer.decode(tokens) for tokens in tokenizer.encode_batch(texts)] == texts
    assert vocabulary.eos_id == 100257
    # Where o200k cuts, with the ranks at hand: its own are in no registry.
    renamed = tmp_path / "o200k_base.tiktoken"
    renamed.write_bytes(file.read_bytes())
    theirs = tiktoken.Encoding("o200k", pat_str=O200K, mergeable_ranks=ranks, special_tokens={})
    assert ids(*read(renamed), texts) == [theirs.encode_ordinary(text) for text in texts]
    with pytest.raises(StageformerError, match="the name of an encoding must be one of gpt2, r50k_base"):
        read(file.rename(tmp_path / "other.tiktoken"))
    (tmp_path / "other.tiktoken").rename(file)


def test_ranks_of_gpt_2(gpt2: Path, tmp_path: Path) -> None:
    ranks = data_gym_to_mergeable_bpe_ranks(str(gpt2 / "vocab.bpe"), str(gpt2 / "encoder.json"))
    lines = (f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items())
    (tmp_path / "r50k_base.tiktoken").write_text("".join(lines))
    texts = thousand()
    theirs = tiktoken.Encoding("r50k", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={})
    assert ids(*read(tmp_path), texts) == ids(*read(gpt2), texts) == [theirs.encode_ordinary(text) for text in texts]


def test_gpt_2_as_its_npm_package_cuts(gpt2: Path) -> None:
    texts = thousand()
    script = """
        const { encode } = require("./package/index.js");
        const texts = JSON.parse(require("fs").readFileSync(0));
        console.log(JSON.stringify(texts.map(encode)));
    """
    subprocess.run(["tar", "xzf", next(gpt2.glob("*.tgz")).name], cwd=gpt2, check=True)
    run = subprocess.run(
        ["node", "-e", script], cwd=gpt2, input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    assert ids(*read(gpt2), texts) == json.loads(run.stdout)


def test_bert_and_gpt_2_as_transformers_cuts(bert: Path, gpt2: Path) -> None:
    from transformers import BertTokenizer, GPT2Tokenizer

    texts = thousand()
    theirs = BertTokenizer(vocab=str(bert / "vocab.txt"), do_lower_case=True)
    assert ids(*read(bert), texts) == [theirs(text, add_special_tokens=False)["input_ids"] for text in texts]
    theirs = GPT2Tokenizer(vocab=str(gpt2 / "encoder.json"), merges=str(gpt2 / "vocab.bpe"))
    assert ids(*read(gpt2), texts) == [theirs(text, add_special_tokens=False)["input_ids"] for text in texts]


@functools.cache
def read_once(path: Path) -> tuple[PretrainedTokenizer, Vocabulary]:
    return read(path)


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "clip"])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
@example(text="\u200d🦜 ﬁ\x00\r\n e\u0301 ΑΣ")
def test_no_text_is_unknown_to_bytes(request: pytest.FixtureRequest, name: str, text: str) -> None:
    tokenizer, vocabulary = read_once(request.getfixturevalue(name))
    (tokens,) = tokenizer.encode_batch([text])
    assert vocabulary.unk_id not in vocabulary.to_ids(tokens)
    decoded = tokenizer.decode(tokens)
    if name == "clip":  # which loses case and white space; what it decodes is cut into the same tokens
        assert tokenizer.encode_batch([decoded]) == [tokens]
    else:
        assert decoded == text


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model with control symbols and bytes, made by its library."""
    import sentencepiece

    folder = tmp_path_factory.mktemp("model")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(thousand()), model_prefix=str(folder / "m"), vocab_size=700, byte_fallback=True,
        pad_id=0, unk_id=1, bos_id=2, eos_id=3, minloglevel=2,
    )  # fmt: skip
    return folder / "m.model"


def test_a_sentencepiece_model_keeps_its_ids(model: Path, tmp_path: Path) -> None:
    import sentencepiece

    theirs = sentencepiece.SentencePieceProcessor(model_file=str(model))
    texts = [*thousand(), "日本 never seen 🦜"]
    for path in (model, model.parent):
        tokenizer, vocabulary = read(path)
        assert ids(tokenizer, vocabulary, texts) == theirs.encode(texts)
    assert (vocabulary.pad_id, vocabulary.unk_id, vocabulary.bos_id, vocabulary.eos_id) == (0, 1, 2, 3)
    assert [tokenizer.decode(tokens) for tokens in tokenizer.encode_batch(texts)] == theirs.decode(theirs.encode(texts))
    tokenizer.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sentencepiece.model", "special_tokens.json"]
    loaded = PretrainedTokenizer.load(tmp_path, Form())
    assert loaded.encode_batch(texts) == tokenizer.encode_batch(texts)
    assert list(loaded.versions) == ["sentencepiece"]
    (tmp_path / "sentencepiece.model").write_bytes(b"x")
    with pytest.raises(StageformerError, match=r"sentencepiece\.model: not a readable SentencePiece model"):
        PretrainedTokenizer.load(tmp_path, Form())


def test_a_folder_that_auto_tokenizer_reads(bert: Path, tmp_path: Path) -> None:
    """Files that other models have under the same names: MPNet puts its vocabulary into vocab.txt as well."""
    from transformers import AutoTokenizer

    lines = (bert / "vocab.txt").read_text(encoding="utf-8").splitlines()
    names = {"[PAD]": "<pad>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}
    (tmp_path / "vocab.txt").write_text("\n".join(names.get(line, line) for line in lines))
    (tmp_path / "config.json").write_text('{"model_type": "mpnet"}')
    theirs = AutoTokenizer.from_pretrained(str(tmp_path))
    tokenizer, vocabulary = read(tmp_path)
    texts = thousand()
    assert ids(tokenizer, vocabulary, texts) == [theirs(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert (vocabulary.bos_id, vocabulary.eos_id) == (theirs.bos_token_id, theirs.eos_token_id)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(StageformerError, match=r"needed a tokenizer|not a readable tokenizer"):
        read(tmp_path)


def test_without_transformers_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stageformer import errors

    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    (tmp_path / "config.json").write_text('{"model_type": "mpnet"}')
    with pytest.raises(StageformerError, match=r"pip install 'stageformer\[export\]'"):
        read(tmp_path)
    (tmp_path / "m.model").write_bytes(b"")
    with pytest.raises(StageformerError, match=r"pip install 'stageformer\[sentencepiece\]'"):
        read(tmp_path / "m.model")
