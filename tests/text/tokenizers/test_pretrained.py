"""Tokenizers of others: the ids are theirs, from text to the vocabulary."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import tiktoken
import tokenizers
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

from stageformer.errors import StageformerError
from stageformer.text.form import Form
from stageformer.text.tokenizers.pretrained import PretrainedTokenizer
from stageformer.text.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from tests.families import family

ROOT = Path(__file__).resolve().parents[3]
_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def sentences() -> list[str]:
    """1,000 sentences of words from our own pages, with marks, other scripts and odd words among them."""
    pages = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]
    odd = ["Größe", "漢字", "🎉", "naïve", "[SEP]", "<|endoftext|>", "don't", "x" * 120, "№", "  "]
    words = [*" ".join(pages).split(), *odd * 40]
    chance = random.Random(1)
    return [" ".join(chance.choices(words, k=chance.randint(1, 15))) for _ in range(1000)]


def read(path: Path, **changes: object) -> tuple[PretrainedTokenizer, Vocabulary]:
    tokenizer = PretrainedTokenizer.train([], family("pretrained", path=str(path), **changes))
    return tokenizer, Vocabulary(tokenizer.entries, [0] * len(tokenizer.entries))


def ids(tokenizer: PretrainedTokenizer, vocabulary: Vocabulary, texts: list[str]) -> list[list[int]]:
    return [vocabulary.to_ids(tokens) for tokens in tokenizer.encode_batch(texts)]


@pytest.mark.parametrize("name", ["", "vocab.txt", "tokenizer.json"])
def test_ids_of_bert(bert: Path, name: str) -> None:
    tokenizer, vocabulary = read(bert / name)
    lines = (bert / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert len(vocabulary) == len(lines) == 30522
    theirs = tokenizers.BertWordPieceTokenizer(str(bert / "vocab.txt"), lowercase=True)
    special = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")  # their library finds these in a text
    texts = [text for text in sentences() if not any(token in text for token in special)]
    assert len(texts) > 800
    assert ids(tokenizer, vocabulary, texts) == [
        encoding.ids for encoding in theirs.encode_batch(texts, add_special_tokens=False)
    ]
    assert (vocabulary.pad_id, vocabulary.bos_id, vocabulary.eos_id, vocabulary.unk_id) == (0, 101, 102, 100)
    # As published for bert-base-uncased.
    assert ids(tokenizer, vocabulary, ["Hello, my dog is cute"]) == [[7592, 1010, 2026, 3899, 2003, 10140]]
    # A text that spells a special token has none.
    assert vocabulary.eos_id not in ids(tokenizer, vocabulary, ["a [SEP] b"])[0]
    assert tokenizer.decode(tokenizer.encode_batch(["Unaffable houses"])[0]) == "unaffable houses"


def test_ids_of_gpt_2_are_those_of_tiktoken(gpt2: Path) -> None:
    tokenizer, vocabulary = read(gpt2)
    ranks = data_gym_to_mergeable_bpe_ranks(str(gpt2 / "vocab.bpe"), str(gpt2 / "encoder.json"))
    theirs = tiktoken.Encoding("gpt2", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})
    texts = sentences()
    assert ids(tokenizer, vocabulary, texts) == [theirs.encode_ordinary(text) for text in texts]
    assert (vocabulary.eos_id, vocabulary.pad_id, vocabulary.bos_id, vocabulary.unk_id) == (50256, 50257, 50258, 50259)
    assert tokenizer.roles == {PAD: None, EOS: "<|endoftext|>", BOS: None, UNK: None}
    assert [tokenizer.decode(tokens) for tokens in tokenizer.encode_batch(texts)] == texts


def test_a_folder_that_transformers_saved(bert: Path, tmp_path: Path) -> None:
    from transformers import BertTokenizer

    BertTokenizer(vocab=str(bert / "vocab.txt")).save_pretrained(tmp_path / "saved")
    tokenizer, vocabulary = read(tmp_path / "saved")
    assert ids(tokenizer, vocabulary, ["Hello, my dog is cute"]) == [[7592, 1010, 2026, 3899, 2003, 10140]]
    shutil.copy(bert / "config.json", tmp_path)
    with pytest.raises(StageformerError, match=r"needed a tokenizer: tokenizer\.json"):
        read(tmp_path)


def test_saved_and_loaded(bert: Path, tmp_path: Path) -> None:
    tokenizer, _ = read(bert, case="lower", normalisation="nfkc")
    tokenizer.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(tokenizer.files)
    loaded = PretrainedTokenizer.load(tmp_path, Form("lower", "nfkc"))
    assert loaded.entries == tokenizer.entries
    assert loaded.encode_batch(["Größe ﬁt"]) == tokenizer.encode_batch(["Größe fit"])


def test_ids_of_arrow_are_those_of_python(bert: Path) -> None:
    import pyarrow as pa

    tokenizer, vocabulary = read(bert)
    tokens = [token for tokens in tokenizer.encode_batch(sentences()[:50]) for token in tokens]
    assert vocabulary.to_id_array(pa.array(tokens)).tolist() == vocabulary.to_ids(tokens)


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"nowhere: no such file or folder; it should hold a tokenizer \("):
        read(tmp_path / "nowhere")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(StageformerError, match=r"tokenizer\.json: not a readable tokenizer"):
        read(tmp_path)
    (tmp_path / "other.bin").write_text("x")
    with pytest.raises(StageformerError, match=r"other\.bin: needed a tokenizer: tokenizer\.json, vocab\.txt"):
        read(tmp_path / "other.bin")
