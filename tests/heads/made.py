"""Made-up corpora with labels and memory, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stageformer.artifacts.tables import write_table
from stageformer.heads.examples import Labelled, read_labelled
from stageformer.memory.writer import MemoryWriter
from stageformer.params.base import parse
from stageformer.params.head import Head
from stageformer.params.reading import read_yaml
from stageformer.text.pair import tokenizer_class
from stageformer.text.tokenizers.base import Tokenizer
from tests.families import family

ROOT = Path(__file__).parents[2]


def params(**changes: Any) -> Head:
    """The group ``head`` of the defaults with changes; those of ``training`` as ``training__NAME``."""
    values: Any = read_yaml(ROOT / "recipes/default.yaml")["head"]
    for name, value in changes.items():
        group, _, inner = name.partition("__")
        if inner:
            values[group][inner] = value
        else:
            values[name] = value
    return parse(Head, values, "head")


def words_tokenizer(texts: Sequence[str]) -> Tokenizer:
    return tokenizer_class("word").train(texts, family("word"))


def write_split(
    folder: Path, split: str, texts: Sequence[str], labels: Sequence[Sequence[str]], vectors: Sequence[torch.Tensor],
    tokenizer: Tokenizer, *, first_id: int = 10, fingerprint: str = "maker", layers: list[int] | None = None,
) -> None:  # fmt: skip
    """Write everything that a head reads of a split, below ``folder``."""
    ids = [first_id + 2 * row for row in range(len(texts))]
    nothing = [""] * len(texts)
    columns = {"id": ids, "source": texts, "target": nothing, "references": [[""]] * len(texts), "group": nothing}
    write_table(folder / "ingest" / f"{split}.parquet", "sentences", [columns])
    write_table(folder / "ingest/labels" / f"{split}.parquet", "labels", [{"id": ids, "labels": labels}])
    tokens = tokenizer.encode_batch(list(texts))
    columns = {"id": ids, "source_tokens": tokens, "target_tokens": [[]] * len(texts)}
    write_table(folder / "tokenize" / f"{split}.parquet", "tokens", [columns])
    lengths = np.array([len(one) for one in vectors])
    writer = MemoryWriter(
        folder / "encode" / split, np.array(ids), lengths, width=vectors[0].size(1), dtype="float32",
        fingerprint=fingerprint, shard_tokens=50,
    )  # fmt: skip
    for shard in writer.shards():
        for row in shard.rows:
            present = torch.ones(1, len(vectors[row]), dtype=torch.bool)
            shard.put(np.array([row]), vectors[row][None], present)


def read(folder: Path, split: str, kind: str, tokenizer: Tokenizer) -> Labelled:
    return read_labelled(folder / "ingest", folder / "tokenize", folder / "encode", split, kind, tokenizer)
