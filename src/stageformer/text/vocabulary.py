"""The vocabulary: which token has which id.

The special tokens come first, then all others by descending count in the training split, ties by token in the order of
code points. Those that the tokenizer learnt but the training split was never cut into come last, with count 0. A token
of the text that is spelt like a special token is not one: it has no entry, and its id is that of ``<unk>``. So no text
can end a sentence by writing ``<eos>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.made_with import Parts, check_made_with, fingerprint
from stageformer.artifacts.tables import ROWS_PER_GROUP, describe_table, open_table, read_table, write_table
from stageformer.errors import StageformerError

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
SPECIAL_TOKENS = (PAD, BOS, EOS, UNK)
SHARED_NAME = "vocabulary.parquet"
SOURCE_NAME = "vocabulary_source.parquet"
TARGET_NAME = "vocabulary_target.parquet"


class Vocabulary:
    """Tokens and their ids, which are their places in the table.

    Args:
        tokens: each once; the special tokens come first, unless a pretrained tokenizer brings the ids.
        counts: how often each occurs in the training split; 0 for the special tokens.

    Raises:
        StageformerError: a special token is missing, or a token is there twice.
    """

    pad_id, bos_id, eos_id, unk_id = range(4)
    """Those of a vocabulary that is made here. One that a pretrained tokenizer brings has others of its own."""

    def __init__(self, tokens: list[str], counts: list[int]) -> None:
        if missing := set(SPECIAL_TOKENS).difference(tokens):
            raise StageformerError(f"a vocabulary has {' '.join(SPECIAL_TOKENS)}, found no {' '.join(sorted(missing))}")
        self.pad_id, self.bos_id, self.eos_id, self.unk_id = map(tokens.index, SPECIAL_TOKENS)
        self.tokens = tokens
        self.counts = counts
        # Without the special tokens: a text cannot spell them.
        self._ids = {token: index for index, token in enumerate(tokens) if token not in SPECIAL_TOKENS}
        if len(self._ids) + len(SPECIAL_TOKENS) != len(tokens):
            raise StageformerError("a token is in the vocabulary twice")
        self._regular = pa.array(list(self._ids), pa.string())
        self._regular_ids = np.array([*self._ids.values(), self.unk_id], dtype=np.int32)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, min_frequency: int, max_size: int | None) -> Self:
        """Choose the entries: tokens seen ``min_frequency`` times or more, the most frequent first.

        Args:
            counts: how often each token occurs.
            min_frequency: smallest count of an entry.
            max_size: largest number of entries, special tokens included; None: no limit.
        """
        ordered = sorted(
            (item for item in counts.items() if item[1] >= min_frequency and item[0] not in SPECIAL_TOKENS),
            key=lambda item: (-item[1], item[0]),
        )
        if max_size is not None:
            ordered = ordered[: max_size - len(SPECIAL_TOKENS)]
        tokens = [*SPECIAL_TOKENS, *(token for token, _ in ordered)]
        return cls(tokens, [0] * len(SPECIAL_TOKENS) + [count for _, count in ordered])

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        """Whether a token of a text has an id of its own."""
        return token in self._ids

    def to_ids(self, tokens: Iterable[str]) -> list[int]:
        """Return the ids of the tokens of a text; no special token is added, unknown tokens have the id of <unk>."""
        return [self._ids.get(token, self.unk_id) for token in tokens]

    def to_id_array(self, tokens: pa.Array[Any]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """As :meth:`to_ids` for a whole Arrow array of strings at once."""
        places = pc.index_in(tokens, value_set=self._regular).fill_null(len(self._regular))
        ids: np.ndarray[tuple[int], np.dtype[np.int32]] = self._regular_ids[places.to_numpy(zero_copy_only=False)]
        return ids

    def to_tokens(self, ids: Iterable[int], *, skip_special: bool = False) -> list[str]:
        """Return the tokens of ids.

        Args:
            ids: ids below ``len(self)``.
            skip_special: leave out <pad>, <bos> and <eos>; <unk> stays, since there was something.

        Raises:
            StageformerError: an id outside the vocabulary.
        """
        tokens: list[str] = []
        for index in ids:
            if not 0 <= index < len(self.tokens):
                raise StageformerError(
                    f"id {index} is outside the vocabulary, which has {len(self.tokens)} entries (0 to "
                    f"{len(self.tokens) - 1}); the ids come from another vocabulary: run `dvc repro`"
                )
            if not (skip_special and index in (self.pad_id, self.bos_id, self.eos_id)):
                tokens.append(self.tokens[index])
        return tokens

    @cached_property
    def fingerprint(self) -> str:
        """Of the tokens and their ids. How often a token occurs does not count: it decides nothing any more."""
        return fingerprint(self.tokens)

    def save(self, path: Path, parts: Parts | None = None) -> None:
        """Write the vocabulary, which ``parts`` made, as a table. Raises StageformerError when the disk is full."""
        starts = range(0, len(self), ROWS_PER_GROUP)
        batches = (
            {
                "token": self.tokens[start : start + ROWS_PER_GROUP],
                "id": range(start, min(start + ROWS_PER_GROUP, len(self))),
                "count": self.counts[start : start + ROWS_PER_GROUP],
            }
            for start in starts
        )
        write_table(path, "vocabulary", batches, parts)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a vocabulary. Raises StageformerError when the table is missing, damaged or no vocabulary."""
        table = read_table(path, "vocabulary")
        if table["id"].to_pylist() != list(range(table.num_rows)):
            raise StageformerError(f"{path}: the ids are not 0, 1, 2 ... in this order{rerun_hint('vocabulary')}")
        try:
            columns: dict[str, list[Any]] = table.to_pydict()
            return cls(columns["token"], columns["count"])
        except StageformerError as error:
            raise StageformerError(f"{path}: {error}{rerun_hint('vocabulary')}") from None


@dataclass(frozen=True)
class Vocabularies:
    """The vocabularies of the source side and of the target side: one and the same object where they are shared."""

    source: Vocabulary
    target: Vocabulary
    shared: bool
    tokenizer: Parts = field(default_factory=dict)
    """what they were made with"""
    folder: Path = Path()
    """where they are from"""

    @property
    def parts(self) -> Parts:
        """What others are made with: both vocabularies, and their tokenizer."""
        sides = {"source vocabulary": self.source, "target vocabulary": self.target}
        files = (SHARED_NAME, SHARED_NAME) if self.shared else (SOURCE_NAME, TARGET_NAME)
        own = {
            name: (vocabulary.fingerprint, self.folder / file)
            for (name, vocabulary), file in zip(sides.items(), files, strict=True)
        }
        return {**self.tokenizer, **own}

    @property
    def by_file(self) -> dict[str, Vocabulary]:
        """The distinct vocabularies by the names of their files."""
        if self.shared:
            return {SHARED_NAME: self.source}
        return {SOURCE_NAME: self.source, TARGET_NAME: self.target}


def load_vocabularies(folder: Path, tokenizer: Parts | None = None) -> Vocabularies:
    """Read the vocabularies that the stage ``vocab`` wrote: the shared one if it is there, else one per side.

    Args:
        folder: of the stage.
        tokenizer: that they are used with, and so should be made with.

    Raises:
        StageformerError: a file is missing, damaged or no vocabulary, or was made with another tokenizer.
    """
    if (folder / SHARED_NAME).exists():
        shared = Vocabulary.load(folder / SHARED_NAME)
        made = _made_with(folder / SHARED_NAME, tokenizer or {})
        return Vocabularies(shared, shared, shared=True, tokenizer=made, folder=folder)
    if not any((folder / name).exists() for name in (SOURCE_NAME, TARGET_NAME)):
        raise StageformerError(f"{folder}: holds no vocabulary{rerun_hint('vocabulary')}")
    source, target = (Vocabulary.load(folder / name) for name in (SOURCE_NAME, TARGET_NAME))
    made, _ = (_made_with(folder / name, tokenizer or {}) for name in (SOURCE_NAME, TARGET_NAME))
    return Vocabularies(source, target, shared=False, tokenizer=made, folder=folder)


def _made_with(path: Path, tokenizer: Parts) -> Parts:
    """Return what a vocabulary was made with, after a check that it is ``tokenizer``, where that is known."""
    with open_table(path, "vocabulary") as file:
        header = describe_table(file)
    check_made_with(path, header, tokenizer)
    kept = header.get("made_with")
    known = kept.get("tokenizer") if isinstance(kept, dict) else None
    return {"tokenizer": (known, path)} if isinstance(known, str) else {}
