"""The start of the embeddings that the parameters ask for."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from stageformer.artifacts.answers import Answers
from stageformer.artifacts.tables import write_table
from stageformer.building.embeddings import EmbeddingStart
from stageformer.building.lookup import Lookup, spelling
from stageformer.building.start import Text, make_embeddings, summary, write_lookups
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.embed import Embed
from stageformer.text.pair import load_tokenizers, save_tokenizers, train_tokenizers
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabularies, Vocabulary
from tests.families import family

RANDOM = {"kind": "random", "distribution": "normal"}
PARAMS = {
    "d_model": 64, "source": RANDOM, "scale": True, "positions": "learned", "max_length": 500, "seed": 1,
}  # fmt: skip
FILE = {"kind": "file", "format": "auto", "pieces": "random", "project": "error"}


def test_learned_positions_are_seeded_and_of_the_size_of_an_embedding() -> None:
    vocabulary = Vocabulary.from_counts({"a": 2, "b": 1}, min_frequency=1, max_size=None)
    vocabularies = Vocabularies(vocabulary, vocabulary, shared=True)
    (first, _), (second, _) = (make_embeddings(parse(Embed, PARAMS, "embed"), vocabularies) for _ in range(2))
    assert first.positions.shape == (500, 64)
    assert first.positions.std().item() == pytest.approx(64**-0.5, rel=0.03)
    assert torch.equal(first.positions, second.positions)
    other, _ = make_embeddings(parse(Embed, PARAMS | {"seed": 2}, "embed"), vocabularies)
    assert not torch.equal(first.positions, other.positions)


def two_vocabularies() -> Vocabularies:
    sides = [
        Vocabulary.from_counts({f"{side}{n}": 1 for n in range(20)}, min_frequency=1, max_size=None) for side in "st"
    ]
    return Vocabularies(*sides, shared=False)


def test_the_draws_of_both_sides_and_the_positions_follow_each_other() -> None:
    start, lookups = make_embeddings(parse(Embed, PARAMS, "embed"), two_vocabularies())
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(start.source, torch.randn(24, 64, generator=generator) * 64**-0.5)
    assert torch.equal(start.target, torch.randn(24, 64, generator=generator) * 64**-0.5)
    assert torch.equal(start.positions, torch.randn(500, 64, generator=generator) * 64**-0.5)
    assert {side: set(lookup.origins) for side, lookup in lookups.items()} == {
        "source": {"random"},
        "target": {"random"},
    }


@pytest.mark.parametrize(("distribution", "limit"), [("uniform", (3 / 64) ** 0.5), ("xavier", (6 / (24 + 64)) ** 0.5)])
def test_distributions_within_limits(distribution: str, limit: float) -> None:
    params = PARAMS | {"source": RANDOM | {"distribution": distribution}}
    start, _ = make_embeddings(parse(Embed, params, "embed"), two_vocabularies())
    assert 0.99 * limit < start.source.abs().max() <= limit
    assert start.source.std().item() == pytest.approx(limit / 3**0.5, rel=0.03)
    assert start.metadata["initialisation"] == distribution


@pytest.fixture
def text(tmp_path: Path) -> tuple[Text, Vocabularies]:
    """A tokenizer of words' pieces, the sentences that it learnt from, and the vocabulary of both sides."""
    sentences = [f"Der Server {word}" for word in ("startet", "startete", "wartet", "wartete")] * 3
    sentences += ["Reste warten", "Raster raten", "Raster warten"]
    learnt = train_tokenizers(sentences, [], family("bpe", vocabulary_size=34), None)
    tokenizers = save_tokenizers(learnt, tmp_path / "tokenizer")
    rows = {
        "id": range(len(sentences)), "source": sentences, "target": [""] * len(sentences),
        "references": [[""]] * len(sentences), "group": [""] * len(sentences),
    }  # fmt: skip
    write_table(tmp_path / "train.parquet", "sentences", [rows])
    counts = dict.fromkeys(tokenizers.source.learnt, 1)
    vocabulary = Vocabulary.from_counts(counts, min_frequency=0, max_size=None)
    found = Text(tmp_path / "tokenizer", tmp_path / "train.parquet", Answers(tmp_path / "cache"))
    return found, Vocabularies(vocabulary, vocabulary, shared=True)


def from_file(
    text: tuple[Text, Vocabularies], content: dict[str, list[float]], **values: object
) -> tuple[EmbeddingStart, Lookup]:
    path = text[0].train.parent / "vectors.txt"
    path.write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in content.items()), encoding="utf-8")
    source = FILE | {"path": str(path)} | {name: values[name] for name in values if name in FILE}
    params = PARAMS | {"source": source, "d_model": values.get("d_model", 2)}
    start, lookups = make_embeddings(parse(Embed, params, "embed"), text[1], text[0])
    return start, lookups["shared"]


def test_a_token_is_looked_up_as_the_word_that_it_spells_and_then_in_lower_case(
    text: tuple[Text, Vocabularies], tmp_path: Path
) -> None:
    tokens = text[1].source.tokens
    assert {"▁Server", "e", "s"} <= set(tokens)
    content = {"server": [1.0, 2.0], "e": [3.0, -4.0], "<unk>": [9.0, 9.5], "▁Server": [7.0, 7.5], "elsewhere": [0, 1]}
    start, lookup = from_file(text, content)
    found = {tokens[row]: vector.tolist() for row, vector in zip(lookup.rows, lookup.vectors, strict=True)}
    assert found.pop("▁Server") == [1.0, 2.0]
    assert found.pop("e") == [3.0, -4.0]
    assert set(found) <= {"▁e", "E", "▁E"}  # special tokens spell nothing
    assert lookup.origins[tokens.index("▁Server")] == "lower case"
    assert lookup.origins[tokens.index("e")] == "as spelt"
    assert lookup.origins[tokens.index("<unk>")] == "random"
    scale = 2**-0.5 / lookup.vectors.std()
    assert torch.equal(start.source[lookup.rows], lookup.vectors * scale)
    counts = rf"1 as spelt, {len(lookup.rows) - 1} lower case, \d+ random"
    said = rf"embed: shared vocabulary: \d+\.\d% of the tokens found \({counts}\)"
    assert re.fullmatch(said, summary("shared", lookup))
    others = [row for row in range(len(tokens)) if row not in lookup.rows]
    by_chance, _ = make_embeddings(parse(Embed, PARAMS | {"d_model": 2}, "embed"), text[1])
    assert torch.equal(start.source[others], by_chance.source[others])
    assert torch.equal(start.positions, by_chance.positions)
    write_lookups(tmp_path / "lookup.parquet", text[1], start, {"shared": lookup})
    rows = {row["token"]: row for row in pq.read_table(tmp_path / "lookup.parquet").to_pylist()}
    assert (rows["▁Server"]["word"], rows["▁Server"]["nearest"][:1]) == ("Server", ["e"])
    assert rows["<unk>"]["nearest"] == []


def test_a_piece_gets_the_mean_of_the_words_that_hold_it_weighted_by_count(text: tuple[Text, Vocabularies]) -> None:
    tokens, sentences = text[1].source.tokens, pq.read_table(text[0].train)["source"].to_pylist()
    words = {"raster": [1.0, 0.0], "warten": [0.0, 1.0], "der": [5.0, 5.5], "reste": [2.0, -1.0]}
    _, lookup = from_file(text, words, pieces="mean")
    tokenizer = load_tokenizers(text[0].tokenizers).source
    means = [row for row, origin in enumerate(lookup.origins) if origin == "mean of words"]
    held = [
        sum(tokens[row] in tokenizer.encode_batch([word])[0] for word in ("Raster", "warten", "Reste")) for row in means
    ]
    assert 2 in held  # one of them is in two words
    counts = {
        word: sum(sentence.split().count(word) for sentence in sentences)
        for word in ("Raster", "warten", "Der", "Reste")
    }
    for row, vector in zip(lookup.rows, lookup.vectors, strict=True):
        if lookup.origins[row] == "mean of words":
            holding = [word for word in counts if tokens[row] in tokenizer.encode_batch([word])[0]]
            total = sum(counts[word] for word in holding)
            expected = (
                sum(counts[word] * torch.tensor(words[word.lower()], dtype=torch.float64) for word in holding) / total
            )
            assert torch.equal(vector, expected.float()), tokens[row]
    _, without = from_file(text, words)
    assert "mean of words" not in without.origins


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"unknown": [1.0, 2.0]}, r"holds none of the \d+ tokens of the vocabulary"),
        ({"e": [1.0, 1.0], "s": [2.0, 2.0]}, r"each of the \d vectors found is one number repeated"),
        ({"e": [0.0, 0.0]}, "each of the 1 vectors found is one number repeated"),
        ({"e": [1.0, 2.0, 3.0]}, r"its vectors have 3 values, but embed.d_model is 2; set one to the other, or embed"),
    ],
)
def test_vectors_that_would_make_embeddings_of_nothing(
    text: tuple[Text, Vocabularies], content: dict[str, list[float]], message: str
) -> None:
    with pytest.raises(StageformerError, match=f"vectors.txt: {message}"):
        from_file(text, content)


def test_principal_components_keep_what_varies_most(text: tuple[Text, Vocabularies]) -> None:
    letters = [token for token in text[1].source.tokens if token not in SPECIAL_TOKENS and len(token) == 1]
    generator = torch.Generator().manual_seed(3)
    wide = torch.randn(len(letters), 5, generator=generator) * torch.tensor([5.0, 0.1, 3.0, 0.1, 0.1])
    content = dict(zip(letters, wide.tolist(), strict=True)) | {"nowhere": [0.0] * 5}
    _, lookup = from_file(text, content, project="pca")
    kept = {text[1].source.tokens[row]: vector for row, vector in zip(lookup.rows, lookup.vectors, strict=True)}
    words = [lookup.words[row] for row in lookup.rows]
    known = torch.tensor([content[word if word in content else word.lower()] for word in words])
    centred = known.double() - known.double().mean(0)
    _, _, components = torch.linalg.svd(centred, full_matrices=False)
    expected = centred @ components[:2].T
    found = torch.stack(list(kept.values())).double()
    assert torch.allclose(found.abs(), expected.abs(), atol=1e-5)
    with pytest.raises(StageformerError, match=r"'pca' keeps 8 components .* of 5 values have fewer"):
        from_file(text, content, project="pca", d_model=8)


@pytest.mark.parametrize(
    ("kind", "token", "word"),
    [
        ("bpe", "▁Server", "Server"),
        ("byte_bpe", "ĠServer", "Server"),
        ("byte_bpe", "Ã", ""),  # half of a character
        ("unigram", "▁", ""),
        ("wordpiece", "##er", "er"),
        ("char", "S", "S"),
        ("word", "Server", "Server"),
        ("word", "<eos>", ""),
    ],
)
def test_what_a_token_spells(kind: str, token: str, word: str) -> None:
    tokenizer = train_tokenizers(["Der Server startet, der Server wartet"], [], family(kind), None).source
    assert spelling(token, tokenizer) == word
