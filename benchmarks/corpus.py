"""The corpus that training is measured on: Multi30k, lower-cased and tokenised, in joint BPE of 10,000 tokens.

    python -m benchmarks.corpus FOLDER

makes it by the stages' own library calls, where it is not there yet.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.configurations import CONFIGURATIONS, SHARED_DATA, parameters
from stageformer.artifacts.header import SPLITS
from stageformer.batching.batches import plan_batches
from stageformer.batching.pairs import Pairs, StoredSentences, open_sources, read_pairs
from stageformer.batching.sentences import Ints
from stageformer.commands.program import command
from stageformer.corpus.ingest import ingest, open_corpus
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.ingest import Ingest
from stageformer.params.tokenize import Tokenize
from stageformer.params.vocab import Vocab
from stageformer.text.tokenize_splits import tokenize_splits
from stageformer.text.vocab_splits import vocab_splits
from stageformer.text.vocabulary import Vocabularies, load_vocabularies

_NAMES = {"train": "train", "valid": "val", "test": "test_2016_flickr"}


@dataclass(frozen=True)
class Corpus:
    """The sentence pairs of train and valid, as ids."""

    splits: dict[str, Pairs]
    sources: dict[str, StoredSentences]
    """The same sources, left in their tables."""
    vocabularies: Vocabularies

    @property
    def lengths(self) -> tuple[Ints, Ints]:
        """Tokens that the encoder and the decoder read of each pair of train, ``[sentences]`` each."""
        train = self.splits["train"]
        return train.source.lengths, train.target.lengths - 1

    def batches(self, batch_tokens: int) -> Iterator[Ints]:
        """Yield the rows of one batch after another, without end: the same for whoever asks."""
        for epoch in itertools.count():
            yield from plan_batches(*self.lengths, batch_tokens, seed=1, epoch=epoch)


def multi30k() -> dict[str, object]:
    """Return the parameters of ``ingest`` that read Multi30k. Raises StageformerError where it is absent."""
    folder = SHARED_DATA / "multi30k"
    changes: dict[str, object] = {
        "ingest.source": "lines",
        "ingest.drop_equal": False,
        "ingest.merge_references": False,
    }
    for split, name in _NAMES.items():
        files = [folder / f"{name}.lc.norm.tok.{language}.gz" for language in ("en", "de")]
        for file in files:
            if not file.exists():
                raise StageformerError(f"{file}: no such file; STAGEFORMER_SHARED_DATA names the folder of multi30k")
        changes[f"ingest.files.{split}"] = [str(file) for file in files]
    return changes


def prepare(folder: Path, params: dict[str, Any]) -> None:
    """Make ``folder/{ingest,tokenize,vocab}`` as the stages do, and their reports in ``folder/reports``."""
    ingest_params = parse(Ingest, params["ingest"], "ingest")
    ingest(open_corpus(ingest_params, folder / "cache"), ingest_params, folder / "ingest")
    tokenize_splits(
        folder / "ingest", folder / "tokenize", folder / "reports" / "tokenize",
        parse(Tokenize, params["tokenize"], "tokenize"),
    )
    vocab_splits(
        folder / "tokenize", folder / "vocab", folder / "reports" / "vocab", parse(Vocab, params["vocab"], "vocab")
    )


def is_prepared(folder: Path) -> bool:
    """Return whether the ids of all splits are there."""
    return all((folder / "vocab" / f"{split}.parquet").exists() for split in SPLITS)


def load(folder: Path) -> Corpus:
    """Read the ids that :func:`prepare` left. Raises StageformerError on a bad artifact."""
    vocabularies = load_vocabularies(folder / "vocab")
    tables = {split: folder / "vocab" / f"{split}.parquet" for split in ("train", "valid")}
    splits = {split: read_pairs(table, vocabularies) for split, table in tables.items()}
    sources = {split: open_sources(table, len(vocabularies.source)) for split, table in tables.items()}
    return Corpus(splits, sources, vocabularies)


@command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(folder: Path) -> None:
    """Prepare the corpus unless it is there."""
    if not is_prepared(folder):
        prepare(folder, parameters(CONFIGURATIONS["tiny"], multi30k()))


if __name__ == "__main__":
    main()
