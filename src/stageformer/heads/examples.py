"""The labels of a split beside the memory of its sentences: what a head learns from and is tested on.

Shape letters: N sentences, W words of all of them together, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stageformer.artifacts.tables import decoded, read_table
from stageformer.batching.sentences import Ints, flat_places, presence
from stageformer.console.output import say
from stageformer.errors import StageformerError
from stageformer.memory.store import MemoryStore
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.words import word_tokens

UNSEEN = -1
"""In place of the number of a label that train has not."""


@dataclass(frozen=True)
class Words:
    """Where the words of sentences are; those of sentence ``row`` are ``offsets[row]:offsets[row + 1]``."""

    offsets: Ints
    """``[N + 1]``"""
    first: Ints
    """the first token of each word, ``[W]``"""
    stop: Ints
    """the one after its last, ``[W]``"""

    def padded(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """Return first and stop of the words of sentences ``rows [B]``, zeros at padding: ``[B, W]`` each."""
        lengths = np.diff(self.offsets)[rows]
        present = presence(lengths)
        places = flat_places(self.offsets[rows], lengths)
        both = []
        for flat in (self.first, self.stop):
            padded = np.zeros(present.shape, dtype=np.int64)
            padded[present] = flat[places]
            both.append(torch.from_numpy(padded))
        return both[0], both[1]

    def places(self, rows: Ints) -> Ints:
        """Return where the words of sentences ``rows [B]`` are among all words."""
        return flat_places(self.offsets[rows], np.diff(self.offsets)[rows])


@dataclass(frozen=True)
class Labelled:
    """The labelled sentences of a split, in the order of the corpus."""

    kind: str
    """``ingest.labels``: ``one``, ``several`` or ``tags``"""
    ids: Ints
    """``[N]``"""
    texts: list[str]
    """``[N]``"""
    labels: list[list[str]]
    """``[N]``"""
    store: MemoryStore
    rows: Ints
    """of the sentences in the store, ``[N]``"""
    words: Words | None = None
    """of the ``tags``; a sentence whose tokens do not tell where its words are has none"""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Ints:
        """Vectors of each sentence, ``[N]``."""
        return self.store.lengths[self.rows]

    def with_words(self) -> Ints:
        """Return the sentences that have something to be predicted, all of them but for ``tags``."""
        return np.arange(len(self)) if self.words is None else np.flatnonzero(np.diff(self.words.offsets))

    def batch(self, rows: Ints) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
        """Return what a :class:`~stageformer.heads.model.Head` reads of sentences ``rows [B]``."""
        memory, present = self.store.batch(self.rows[rows])
        return memory, present, None if self.words is None else self.words.padded(rows)


def read_labelled(ingest: Path, tokenize: Path, encode: Path, split: str, kind: str, tokenizer: Tokenizer) -> Labelled:
    """Read the labels of a split, and open the memory of its sentences.

    Args:
        ingest: folder of the stage, with labels and texts.
        tokenize: folder of the stage; read for ``tags`` alone.
        encode: folder of the stage.
        split: ``train``, ``valid`` or ``test``.
        kind: ``ingest.labels``.
        tokenizer: of the sources.

    Raises:
        StageformerError: the corpus has no labels, a sentence does not have what ``kind`` says, the memory is missing,
            empty or of other sentences, or an artifact is damaged.
    """
    table = read_table(ingest / "labels" / f"{split}.parquet", "labels")
    if kind == "none" or not len(table):
        raise StageformerError(
            f"{split}: no sentence has labels; choose a corpus with labels and say of what kind they are "
            "(ingest.labels), such as `stageformer use kind_of_string`"
        )
    ids = table["id"].to_numpy().astype(np.int64)
    labels: list[Any] = table["labels"].to_pylist()
    sentences = read_table(ingest / f"{split}.parquet", "sentences", ["id", "source"])
    sources: dict[Any, Any] = dict(zip(sentences["id"].to_pylist(), sentences["source"].to_pylist(), strict=True))
    if alone := [id_ for id_ in ids.tolist() if id_ not in sources]:
        raise StageformerError(f"{ingest}: sentence {alone[0]} of {split} has labels, but no text; run `dvc repro`")
    if len(ids) != len(sources):
        raise StageformerError(
            f"{ingest}: {len(ids):,} of the {len(sources):,} sentences of {split} have labels; they are of different "
            "runs, run `dvc repro ingest`"
        )
    texts = [sources[id_] for id_ in ids.tolist()]
    _check_numbers(split, kind, ids, texts, labels)
    store = MemoryStore(encode / split)
    store.check_sentences(ids, ingest / "labels" / f"{split}.parquet")
    rows = store.rows_of(ids)
    if len(empty := np.flatnonzero(store.lengths[rows] == 0)):
        raise StageformerError(f"{store.folder}: sentence {ids[empty[0]]} has no vectors; run `dvc repro encode`")
    words = None
    if kind == "tags":
        words = _find_words(split, ids, texts, tokenize / f"{split}.parquet", store.lengths[rows], tokenizer)
    return Labelled(kind, ids, texts, labels, store, rows, words)


def _check_numbers(
    split: str, kind: str, ids: Ints, texts: Sequence[str], labels: Sequence[Sequence[str]]
) -> None:
    for id_, text, found in zip(ids.tolist(), texts, labels, strict=True):
        needed = {"one": 1, "several": len(found), "tags": len(text.split())}[kind]
        if len(found) != needed:
            what = f"{len(found)} tags for {needed} words" if kind == "tags" else f"{len(found)} labels, needed one"
            raise StageformerError(f"{split}: sentence {id_} has {what} (ingest.labels is {kind!r}): {text!r:.80}")


def _find_words(
    split: str, ids: Ints, texts: Sequence[str], table: Path, lengths: Ints, tokenizer: Tokenizer
) -> Words:
    """Find the tokens of every word. Raises StageformerError where the tokenizer or the maker of memory keeps none."""
    tokens = read_table(table, "tokens", ["id", "source_tokens"])
    with decoded(table, "tokens"):
        by_id: dict[Any, Any] = dict(zip(tokens["id"].to_pylist(), tokens["source_tokens"].to_pylist(), strict=True))
    first: list[int] = []
    stop: list[int] = []
    offsets, lost = [0], 0
    for id_, text, length in zip(ids.tolist(), texts, lengths.tolist(), strict=True):
        if id_ not in by_id:
            raise StageformerError(f"{table}: there is no sentence {id_}; run `dvc repro`")
        if length < len(by_id[id_]):
            raise StageformerError(
                f"{split}: sentence {id_} has {length} vectors for {len(by_id[id_])} tokens; tags need an encoder with "
                "a vector for each token"
            )
        spans = word_tokens(text, by_id[id_], tokenizer)
        lost += spans is None
        first += [begin for begin, _ in spans or []]
        stop += [end for _, end in spans or []]
        offsets.append(len(first))
    if not first:
        raise StageformerError(
            f"{split}: the tokens of the tokenizer {tokenizer.kind!r} do not tell where the words of a text are; "
            "choose another (tokenize.source.kind)"
        )
    if lost:
        say(
            f"{split}: the tokens of {lost:,} of {len(texts):,} sentences do not tell where their words are; these are "
            f"{'not learned from' if split == 'train' else 'counted as wrong'}"
        )
    return Words(np.array(offsets), np.array(first), np.array(stop))


def label_names(train: Labelled) -> list[str]:
    """Return all labels of train, sorted.

    Raises:
        StageformerError: there is one alone, so that there is nothing to learn.
    """
    names = sorted({label for found in train.labels for label in found})
    if len(names) < 2 and (train.kind != "several" or not names or all(train.labels)):
        found = f"all {len(train):,} sentences have the label {names[0]!r}" if names else "no sentence has a label"
        raise StageformerError(f"train: {found} (the first is {train.ids[0]}); there is nothing to learn")
    return names


def check_seen(split: Labelled, name: str, names: Sequence[str]) -> None:
    """Raise StageformerError, which names the first sentence, if a split has a label that train has not.

    Args:
        split: valid or test.
        name: of the split.
        names: the labels of train.
    """
    known = set(names)
    unseen = [
        (id_, label)
        for id_, found in zip(split.ids.tolist(), split.labels, strict=True)
        for label in found
        if label not in known
    ]
    if unseen:
        id_, label = unseen[0]
        raise StageformerError(
            f"{name}: sentence {id_} has the label {label!r}, which no sentence of train has ({len(unseen):,} such "
            f"labels of {len({found for _, found in unseen}):,} kinds); set head.unseen_labels to wrong to count them "
            "as wrong, or change the split of ingest"
        )


def targets(labelled: Labelled, numbers: Mapping[str, int]) -> Tensor:
    """Return what is to be predicted.

    Args:
        labelled: of a split.
        numbers: of the labels of train, from 0.

    Returns:
        Of ``several``, True where a sentence has a label, ``[N, C]``. Else the number of the label of each sentence
        ``[N]``, or of each word ``[W]`` of the sentences that have words; ``UNSEEN`` where train has not that label.
    """
    if labelled.kind == "several":
        found = torch.zeros(len(labelled), len(numbers), dtype=torch.bool)
        for row, labels in enumerate(labelled.labels):
            for label in labels:
                if label in numbers:
                    found[row, numbers[label]] = True
        return found
    rows = labelled.with_words().tolist()
    return torch.tensor([numbers.get(label, UNSEEN) for row in rows for label in labelled.labels[row]])
