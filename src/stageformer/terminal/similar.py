"""The sentences whose pooled memory is nearest to that of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from stageformer.artifacts.tables import read_table
from stageformer.batching.sentences import Sentences
from stageformer.compute.device import prepare_cpu
from stageformer.errors import StageformerError
from stageformer.memory.asker import Asker
from stageformer.memory.encoding import open_source
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.pooling import pool, pooled
from stageformer.memory.store import layers_of, open_memory
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.terminal.text import columns
from stageformer.text.conversion import source_ids
from stageformer.text.normalisation import normalise
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import load_vocabularies


def similar_sentences(root: Path, text: str, how: str, number: int) -> list[dict[str, Any]]:
    """Find the sentences of train that are nearest to a text, by the cosine of their pooled memory.

    Args:
        root: of a repository in which the stage encode has run
        text: need not be of the corpus
        how: to pool, see :data:`~stageformer.memory.pooling.HOW`
        number: of sentences to find

    Returns:
        ``id``, ``cosine`` and ``source`` of each, the nearest first; of equals, that of the smaller row.

    Raises:
        StageformerError: the text is empty or too long, an artifact is missing or damaged, or the memory is of
            another maker than ``data/train_encoder/encoder.pt``, or of other sentences than the tables.
    """
    data = root / "data"
    if not (cleaned := normalise(text)):
        raise StageformerError("the text is empty; give a sentence")
    compute = parse(Compute, read_yaml(root / "params.yaml").get("compute"), "compute")
    prepare_cpu(compute.instruction_set, compute.kernels)
    tokenizers = load_tokenizers(data / "tokenize/tokenizer")
    vocabularies = load_vocabularies(data / "vocab", tokenizers.parts)
    source = open_source(
        data / "train_encoder/encoder.pt", vocabularies.source.pad_id, torch.device("cpu"), vocabularies.parts,
        layers_of(data / "encode") or "last", Asker(root, vocabularies.source),
    )  # fmt: skip
    ids = read_table(data / "vocab/train.parquet", "ids", ["id"])["id"].to_numpy()
    store = open_memory(data / "encode/train", ids, source.fingerprint)
    query = source_ids([cleaned], tokenizers.source, vocabularies.source)
    own = pool(*EncodedMemory(source, Sentences.of(query)).batch(np.array([0])), how)
    unit = torch.nn.functional.normalize
    cosines = (unit(pooled(store, how).double(), dim=1) @ unit(own.double(), dim=1)[0]).numpy()
    rows = np.argsort(-cosines, kind="stable")[:number]
    sentences = read_table(data / "ingest/train.parquet", "sentences", ["id", "source"])
    store.check_sentences(sentences["id"].to_numpy(), data / "ingest/train.parquet")
    texts = dict(zip(sentences["id"].to_pylist(), sentences["source"].to_pylist(), strict=True))
    return [
        {"id": int(store.ids[row]), "cosine": round(float(cosines[row]), 4), "source": texts[int(store.ids[row])]}
        for row in rows
    ]


def table(found: list[dict[str, Any]]) -> str:
    """Return a line for each sentence."""
    return "\n".join(columns([["cosine", "sentence"], *([f"{one['cosine']:.4f}", one["source"]] for one in found)]))
