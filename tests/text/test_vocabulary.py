"""The vocabulary: order, ties, special tokens, ids and back, files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageformer.artifacts.tables import write_table
from stageformer.errors import StageformerError
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabulary, load_vocabularies

COUNTS = {"b": 3, "a": 3, "é": 3, "z": 9, "B": 3, "rare": 1, "🎉": 3}
TOKENS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(SPECIAL_TOKENS))


def vocabulary(min_frequency: int = 1, max_size: int | None = None) -> Vocabulary:
    return Vocabulary.from_counts(COUNTS, min_frequency=min_frequency, max_size=max_size)


def test_order_is_special_then_count_then_code_point() -> None:
    assert vocabulary().tokens == ["<pad>", "<bos>", "<eos>", "<unk>", "z", "B", "a", "b", "é", "🎉", "rare"]
    assert vocabulary().counts == [0, 0, 0, 0, 9, 3, 3, 3, 3, 3, 1]
    assert (Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.eos_id, Vocabulary.unk_id) == (0, 1, 2, 3)


def test_limits() -> None:
    assert "rare" not in vocabulary(min_frequency=2)
    assert vocabulary(max_size=6).tokens[4:] == ["z", "B"]
    assert len(vocabulary(max_size=6)) == 6


def test_order_of_counting_does_not_matter() -> None:
    reverse = dict(reversed(COUNTS.items()))
    assert Vocabulary.from_counts(reverse, min_frequency=1, max_size=None).tokens == vocabulary().tokens


def test_a_text_cannot_spell_special_tokens() -> None:
    spelt = Vocabulary.from_counts({"<eos>": 50, "<unk>": 9, "<pad>": 9, "a": 1}, min_frequency=1, max_size=None)
    assert spelt.tokens == [*SPECIAL_TOKENS, "a"]
    assert spelt.to_ids(["a", "<eos>", "<bos>", "<pad>", "<unk>"]) == [4, 3, 3, 3, 3]
    assert spelt.to_id_array(pa.array(["a", "<eos>", "<pad>"])).tolist() == [4, 3, 3]
    assert "<eos>" not in spelt


def test_ids_to_tokens() -> None:
    assert vocabulary().to_tokens([1, 4, 3, 6, 2, 0]) == ["<bos>", "z", "<unk>", "a", "<eos>", "<pad>"]
    assert vocabulary().to_tokens([1, 4, 3, 6, 2, 0], skip_special=True) == ["z", "<unk>", "a"]


@pytest.mark.parametrize("outside", [11, -1, 10**9])
@pytest.mark.parametrize("skip_special", [False, True])
def test_ids_outside_are_an_error(outside: int, skip_special: bool) -> None:
    with pytest.raises(StageformerError, match=rf"id {outside} is outside the vocabulary, which has 11 entries"):
        vocabulary().to_tokens([4, outside], skip_special=skip_special)


@given(TOKENS, TOKENS)
def test_known_tokens_come_back_and_both_ways_of_mapping_agree(known: list[str], others: list[str]) -> None:
    built = Vocabulary.from_counts(Counter(known), min_frequency=1, max_size=None)
    tokens = [*known, *others]
    ids = built.to_ids(tokens)
    assert built.to_tokens(ids) == [token if token in built else "<unk>" for token in tokens]
    assert built.to_id_array(pa.array(tokens, pa.string())).tolist() == ids
    assert all(token in built for token in known if token not in SPECIAL_TOKENS)


def test_saved_and_loaded(tmp_path: Path) -> None:
    vocabulary().save(tmp_path / "vocabulary.parquet")
    loaded = load_vocabularies(tmp_path)
    assert loaded.shared
    assert loaded.source is loaded.target
    assert (loaded.source.tokens, loaded.source.counts) == (vocabulary().tokens, vocabulary().counts)


def test_one_a_side(tmp_path: Path) -> None:
    vocabulary().save(tmp_path / "vocabulary_source.parquet")
    vocabulary(max_size=6).save(tmp_path / "vocabulary_target.parquet")
    loaded = load_vocabularies(tmp_path)
    assert not loaded.shared
    assert (len(loaded.source), len(loaded.target)) == (11, 6)
    (tmp_path / "vocabulary_target.parquet").unlink()
    with pytest.raises(StageformerError, match=r"vocabulary_target.parquet: no such file"):
        load_vocabularies(tmp_path)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match="holds no vocabulary; make it again with `dvc repro --force vocab`"):
        load_vocabularies(tmp_path)
    path = tmp_path / "vocabulary.parquet"
    vocabulary().save(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StageformerError, match="not a readable Parquet file"):
        load_vocabularies(tmp_path)
    tokens = [*SPECIAL_TOKENS, "a"]
    for columns, message in [
        ({"token": tokens, "id": [0, 1, 2, 4, 3]}, "the ids are not 0, 1, 2"),
        ({"token": ["a", *SPECIAL_TOKENS[:3]], "id": range(4)},
         "a vocabulary has <pad> <bos> <eos> <unk>, found no <unk>"),
        ({"token": [*SPECIAL_TOKENS, "a", "a"], "id": range(6)}, "in the vocabulary twice"),
        ({"token": [*SPECIAL_TOKENS, "<eos>"], "id": range(5)}, "in the vocabulary twice"),
    ]:
        write_table(path, "vocabulary", [{**columns, "count": [0] * len(columns["token"])}])  # type: ignore[arg-type]
        with pytest.raises(StageformerError, match=message):
            load_vocabularies(tmp_path)
