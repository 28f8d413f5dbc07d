"""Parameters of the stage ``ingest``."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import model_validator

from stageformer.params.base import MAX_SEED, Name, OneOf, Params, group, param
from stageformer.params.choices import kinds


class HomeAssistant(Params):
    """Where the default corpus comes from."""

    version: str = param("version of the homeassistant wheel on PyPI")
    sha256: str = param("sha256 of that wheel, checked by pip")

    @model_validator(mode="after")
    def _names_one_wheel(self) -> Self:
        if not re.fullmatch(r"[0-9][0-9A-Za-z.]*", self.version):
            raise ValueError(f"version is {self.version!r}; needed one version such as '2026.2.3'")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 is {self.sha256!r}; needed 64 digits of 0-9a-f")
        return self


class Files(Params):
    """The user's own corpus. Paths are relative to the root of the repository or absolute."""

    train: list[str] = param(
        "lines: [source, target]; tsv, jsonl, parquet: [file, ...]; a file (may be gzip), a folder, or a pattern with *"
    )
    valid: list[str] = param("as train; empty: split off from train")
    test: list[str] = param("as train; empty: split off from train")
    source_column: Name = param("jsonl, parquet: name of the source field, such as translation.en; tsv: number, from 1")
    target_column: Name = param("jsonl, parquet: name of the target field, such as translation.de; tsv: number, from 1")
    group_column: Name | None = param("rows with the same value stay in one split; null: rows with the same source")


class Ingest(Params):
    """What text is read, what is dropped, and how it is split."""

    source: Annotated[str, OneOf(kinds("stageformer.corpus.sources"))] = param("kind of corpus")
    source_language: str = param("language code of the source side, as the corpus names it")
    target_language: str = param("language code of the target side, as the corpus names it")
    homeassistant: HomeAssistant = group("where the default corpus comes from")
    files: Files = group("the user's own corpus; paths are absolute or relative to the root of the repository")
    require_letters: bool = param(
        "drop pairs in which either side has no letters, apart from those in {placeholders} and <markup>"
    )
    drop_equal: bool = param("drop pairs whose two sides are equal (nothing to translate)")
    max_characters: int | None = param(
        "longest sentence kept, in characters, on either side; null: any", minimum=1, maximum=1_000_000_000
    )
    max_length_ratio: float | None = param(
        "largest ratio of the two lengths (in characters plus 10) kept; null: any", minimum=1, maximum=1_000_000_000
    )
    drop_duplicates: bool = param("of equal pairs, keep the first")
    min_kept: float = param(
        "it is an error if these filters leave less than this share of the training pairs", minimum=0, maximum=1
    )
    on_bad_line: Literal["error", "drop"] = param("an empty or non-UTF-8 line or record")
    merge_references: bool = param("valid, test: one row for equal sources, with all their targets as references")
    valid_fraction: float = param("share of the groups split off for validation", minimum=0, maximum=0.5)
    test_fraction: float = param("share of the groups split off for the test", minimum=0, maximum=0.5)
    seed: int = param("seed of the split", minimum=0, maximum=MAX_SEED)

    @model_validator(mode="after")
    def _has_every_split(self) -> Self:
        if self.source == "homeassistant":
            self._check_fraction("valid", [])
            self._check_fraction("test", [])
            return self
        if not self.files.train:
            raise ValueError(f"source is {self.source!r} but files.train is empty; name the training files")
        for split in ("train", "valid", "test"):
            names = getattr(self.files, split)
            if names and self.source == "lines" and len(names) != 2:
                raise ValueError(f"files.{split} names {len(names)} files; source 'lines' needs 2, one per side")
            self._check_fraction(split, names)
        if self.source == "tsv":
            for name in ("source_column", "target_column", "group_column"):
                column = getattr(self.files, name)
                if column is not None and not re.fullmatch(r"[1-9][0-9]{0,5}", column):
                    raise ValueError(f"files.{name} is {column!r}; tsv needs the number of the column, from 1")
        return self

    def _check_fraction(self, split: str, names: list[str]) -> None:
        if split != "train" and not names and getattr(self, f"{split}_fraction") == 0:
            raise ValueError(f"{split}_fraction is 0 and files.{split} is empty: no sentence would be in {split}")
