"""The work of the stage ``vocab``: count the training tokens, choose the entries, map every split to ids.

Tables are counted and mapped part by part (:func:`count_part`, :func:`map_part`), each a function of that part alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from stageformer.artifacts.csv_files import write_csv
from stageformer.artifacts.files import atomic_folder, write_json
from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import check_table, decoded, open_table, read_batches, write_parts
from stageformer.compute.pool import SERIAL, Pool
from stageformer.console.output import say
from stageformer.errors import StageformerError
from stageformer.params.vocab import Vocab
from stageformer.text.counts import SIDES, BySide, SideCounts, ratio
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import (
    SHARED_NAME,
    SOURCE_NAME,
    SPECIAL_TOKENS,
    TARGET_NAME,
    Vocabularies,
    Vocabulary,
)

CURVE_POINTS = 200


@dataclass
class MappedCounts(SideCounts):
    """What is counted while one side of a table is mapped to ids."""

    unknown: int = 0
    sentences_with_unknown: int = 0
    types: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, tokens: pa.Array[Any], lengths: np.ndarray[Any, Any], is_unknown: np.ndarray[Any, Any]) -> Self:
        """Count one part of flattened tokens, with the number of them in each sentence."""
        sentence = np.repeat(np.arange(len(lengths)), lengths)
        return cls(
            tokens=len(tokens),
            unknown=int(is_unknown.sum()),
            sentences_with_unknown=len(np.unique(sentence[is_unknown])),
            types=set(map(str, tokens.unique().to_pylist())),
        )

    def metrics(self, vocabulary: Vocabulary) -> dict[str, float]:
        """Return the figures for the report; coverage is of distinct tokens, the unknown rate of all tokens."""
        return {
            "tokens": self.tokens,
            "types": len(self.types),
            "coverage": ratio(sum(token in vocabulary for token in self.types), len(self.types)),
            "unknown_tokens": self.unknown,
            "unknown_rate": ratio(self.unknown, self.tokens),
            "sentences_with_unknown": self.sentences_with_unknown,
        }


@dataclass
class IdCounts(BySide[MappedCounts]):
    """What is counted while a table is mapped, by side. The counts of a table are the sum of those of its parts."""

    sides: dict[str, MappedCounts] = field(default_factory=lambda: {side: MappedCounts() for side in SIDES})


def vocab_splits(input_folder: Path, output: Path, reports: Path, params: Vocab, pool: Pool = SERIAL) -> None:
    """Build the vocabulary from the training split and map all splits to ids.

    Source ids end with <eos>. Target ids begin with <bos> and end with <eos>: all but the last are the decoder's input,
    all but the first what it has to predict.

    Args:
        input_folder: ``tokenizer/``, and ``{train,valid,test}.parquet`` of tokens.
        output: gets the vocabulary tables and ``{train,valid,test}.parquet`` of ids; replaced when all are whole.
        reports: gets ``metrics.json``, ``frequencies.csv`` and ``coverage.csv``.
        params: the group ``vocab``.
        pool: what counts and maps the parts; the result is the same.

    Raises:
        StageformerError: a missing or damaged table, an empty vocabulary, or a full disk.
    """
    tokenizers = load_tokenizers(input_folder / "tokenizer")
    for split in SPLITS:
        check_table(input_folder / f"{split}.parquet", "tokens", tokenizers.parts)
    counts = count_tokens(input_folder / "train.parquet", pool)
    if not counts["source"]:
        raise StageformerError(f"{input_folder / 'train.parquet'}: no source has a token; run `dvc repro tokenize`")
    learnt = {"source": tokenizers.source.learnt, "target": tokenizers.target.learnt}
    entries = {"source": tokenizers.source.entries, "target": tokenizers.target.entries}
    candidates = {side: _candidates(learnt[side], entries[side], counts[side]) for side in SIDES}
    vocabularies = replace(build_vocabularies(candidates, params, entries), tokenizer=tokenizers.parts)
    metrics: dict[str, Any] = {"vocabulary": _selection(candidates, vocabularies, params)}
    holds = (SHARED_NAME, SOURCE_NAME, TARGET_NAME, *(f"{split}.parquet" for split in SPLITS))
    with atomic_folder(output, holds) as new:
        for name, vocabulary in vocabularies.by_file.items():
            vocabulary.save(new / name, tokenizers.parts)
        for split in SPLITS:
            metrics[split] = _map_split(input_folder, new, split, vocabularies, pool)
    write_json(reports / "metrics.json", metrics)
    write_csv(reports / "frequencies.csv", ("rank", "count", "side"), _frequencies(counts))
    write_csv(reports / "coverage.csv", ("types", "coverage", "side"), _coverage(counts))
    say(f"vocab: {_summary(metrics)}")


def _map_split(
    input_folder: Path, output: Path, split: str, vocabularies: Vocabularies, pool: Pool
) -> dict[str, Any]:
    """Write the table of ids of a split, and return its figures for the report."""
    found, path = IdCounts(), input_folder / f"{split}.parquet"
    mapped = pool.map(partial(map_part, vocabularies=vocabularies), _parts(path, split))
    with decoded(path, "tokens"):
        rows = write_parts(output / f"{split}.parquet", "ids", mapped, found, vocabularies.parts)
    return {
        "sentences": rows,
        "source": found.sides["source"].metrics(vocabularies.source),
        "target": found.sides["target"].metrics(vocabularies.target),
    }


def _candidates(learnt: list[str], entries: list[str] | None, counts: Counter[str]) -> Counter[str]:
    """Return the tokens that may get an id, with their counts: those learnt and seen, or those that have an id."""
    if entries is None:
        return Counter(dict.fromkeys(learnt, 0) | counts)
    return Counter({token: counts[token] for token in entries if token not in SPECIAL_TOKENS})


def build_vocabularies(
    counts: dict[str, Counter[str]], params: Vocab, entries: Mapping[str, list[str] | None] | None = None
) -> Vocabularies:
    """Choose the entries from the counts of both sides; those of tokens never seen are 0.

    Args:
        counts: by side.
        params: the group ``vocab``.
        entries: by side, the token of each id if the tokenizer brings its ids; then nothing is chosen.

    Raises:
        StageformerError: no entry is left.
    """

    def build(counted: Counter[str], side: str = "source") -> Vocabulary:
        given = (entries or {}).get(side)
        if given is not None:
            return Vocabulary(given, [counted.get(token, 0) for token in given])
        return Vocabulary.from_counts(counted, min_frequency=params.min_frequency, max_size=params.max_size)

    if params.shared:
        shared = build(_both(counts))
        vocabularies = Vocabularies(shared, shared, shared=True)
    else:
        vocabularies = Vocabularies(build(counts["source"]), build(counts["target"], "target"), shared=False)
    for name, vocabulary in vocabularies.by_file.items():
        if len(vocabulary) == len(SPECIAL_TOKENS):
            raise StageformerError(
                f"{name}: no token of the training split occurs vocab.min_frequency = {params.min_frequency} times; "
                "lower it or train on more text"
            )
    return vocabularies


def _both(counts: dict[str, Counter[str]]) -> Counter[str]:
    """Return the counts of both sides as one. The operator + of Counter would drop tokens that were never seen."""
    both = Counter(counts["source"])
    both.update(counts["target"])
    return both


def _selection(counts: dict[str, Counter[str]], vocabularies: Vocabularies, params: Vocab) -> dict[str, Any]:
    """Return the size of each vocabulary and what was left out of it, and why."""
    selection = {}
    for side in ("shared",) if vocabularies.shared else SIDES:
        counted = _both(counts) if side == "shared" else counts[side]
        vocabulary = vocabularies.target if side == "target" else vocabularies.source
        spelt_special = sum(token in counted for token in SPECIAL_TOKENS)
        rare_counts = [c for token, c in counted.items() if c < params.min_frequency and token not in SPECIAL_TOKENS]
        rare = len(rare_counts)
        spelt = sum(counted[token] for token in SPECIAL_TOKENS)
        kept = sum(vocabulary.counts)
        entries = len(vocabulary) - len(SPECIAL_TOKENS)
        selection[side] = {
            "size": len(vocabulary),
            "types_seen": sum(count > 0 for count in counted.values()),
            "types_learnt_but_not_seen": sum(count == 0 for count in counted.values()),
            "types_below_min_frequency": rare,
            "types_beyond_max_size": len(counted) - spelt_special - rare - entries,
            # Of train: what the two limits cost in unknown tokens.
            "tokens_below_min_frequency": sum(rare_counts),
            "tokens_beyond_max_size": sum(counted.values()) - spelt - sum(rare_counts) - kept,
            "types_spelt_like_special_tokens": spelt_special,
        }
    return selection


def _summary(metrics: Mapping[str, Any]) -> str:
    """Return one line on what was read, left out and written."""

    def total(split: str, figure: str) -> int:
        return sum(int(metrics[split][side][figure]) for side in SIDES)

    chosen = metrics["vocabulary"].values()
    types = sum(found["types_seen"] + found["types_learnt_but_not_seen"] for found in chosen)
    entries = sum(found["size"] - len(SPECIAL_TOKENS) for found in chosen)
    unknown = ", ".join(
        f"{ratio(total(split, 'unknown_tokens'), total(split, 'tokens')):.2%} of {split}" for split in SPLITS
    )
    tokens = total("train", "tokens")
    lost = {
        name: sum(found[key] for found in chosen)
        for name, key in (("min_frequency", "tokens_below_min_frequency"), ("max_size", "tokens_beyond_max_size"))
    }
    unknown += "".join(f"; {name} makes {count:,} of train unknown" for name, count in lost.items() if count)
    return f"read {tokens:,} tokens of train, gave {entries:,} of {types:,} types an id; unknown tokens: {unknown}"


def count_tokens(path: Path, pool: Pool = SERIAL) -> dict[str, Counter[str]]:
    """Return how often each token occurs in a table of kind ``tokens``, by side."""
    counts: dict[str, Counter[str]] = {side: Counter() for side in SIDES}
    with decoded(path, "tokens"):
        for counted in pool.map(count_part, _parts(path, f"counting {path.stem}")):
            for side in SIDES:
                counts[side].update(counted[side])
    return counts


def count_part(batch: pa.RecordBatch) -> dict[str, Counter[str]]:
    """Return how often each token occurs in one part of a table of kind ``tokens``, by side."""
    counts: dict[str, Counter[str]] = {}
    for side in SIDES:
        column: Any = batch.column(f"{side}_tokens")
        counted = column.flatten().value_counts()
        tokens, numbers = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
        counts[side] = Counter(dict(zip(tokens, numbers, strict=True)))
    return counts


def map_part(batch: pa.RecordBatch, vocabularies: Vocabularies) -> tuple[dict[str, Any], IdCounts]:
    """Map one part of a table of kind ``tokens`` to ids.

    Returns:
        The columns of a table of kind ``ids``, and what was counted.
    """
    columns: dict[str, Any] = {"id": batch.column("id")}
    counts = IdCounts()
    for side, vocabulary in zip(SIDES, (vocabularies.source, vocabularies.target), strict=True):
        column: Any = batch.column(f"{side}_tokens")
        tokens = column.flatten()
        lengths = pc.list_value_length(column).to_numpy()
        ids = vocabulary.to_id_array(tokens)
        counts.sides[side] = MappedCounts.of(tokens, lengths, ids == vocabulary.unk_id)
        columns[f"{side}_ids"] = _framed(ids, lengths, vocabulary, begin=side == "target")
    return columns, counts


def _parts(path: Path, title: str) -> Iterator[pa.RecordBatch]:
    rows = open_table(path, "tokens").metadata.num_rows
    with tqdm(total=rows, desc=f"vocab {title}", unit=" sentences", disable=None) as progress:
        for batch in read_batches(path, "tokens"):
            yield batch
            progress.update(batch.num_rows)


def _framed(
    ids: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], vocabulary: Vocabulary, *, begin: bool
) -> pa.ListArray[Any]:
    """Put <eos> after each sentence, and <bos> before it where ``begin`` says so."""
    offsets = np.concatenate([[0], np.cumsum(lengths + 1 + begin)]).astype(np.int32)
    framed = np.empty(offsets[-1], dtype=np.int32)
    is_token = np.ones(len(framed), dtype=bool)
    is_token[offsets[1:] - 1] = False
    framed[offsets[1:] - 1] = vocabulary.eos_id
    if begin:
        is_token[offsets[:-1]] = False
        framed[offsets[:-1]] = vocabulary.bos_id
    framed[is_token] = ids
    framed_ids: pa.ListArray[Any] = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(framed, pa.int32()), type=pa.list_(pa.field("element", pa.int32()))
    )
    return framed_ids


def _frequencies(counts: dict[str, Counter[str]]) -> Iterator[tuple[int, int, str]]:
    """Yield rank and count, the most frequent token first, thinned evenly on a logarithmic scale."""
    for side in SIDES:
        ordered = sorted(counts[side].values(), reverse=True)
        yield from ((rank, ordered[rank - 1], side) for rank in _ranks(len(ordered)))


def _coverage(counts: dict[str, Counter[str]]) -> Iterator[tuple[int, float, str]]:
    """Yield which share of the training tokens a vocabulary of the most frequent types would know."""
    for side in SIDES:
        known = np.cumsum(sorted(counts[side].values(), reverse=True))
        yield from ((rank, ratio(int(known[rank - 1]), int(known[-1])), side) for rank in _ranks(len(known)))


def _ranks(number: int) -> list[int]:
    return sorted(set(np.geomspace(1, number, CURVE_POINTS).round().astype(int).tolist())) if number else []
