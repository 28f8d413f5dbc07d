"""Which task each training stage has, from its parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stageformer.batching.pairs import Pairs
from stageformer.errors import StageformerError
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.memory.store import dropout_copy, write_empty_memories
from stageformer.memory.writer import MemoryWriter
from stageformer.model.transformer import Transformer
from stageformer.params.base import parse
from stageformer.params.reading import read_yaml
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from stageformer.training.decoder_task import decoder_task
from stageformer.training.encoder_task import encoder_task
from stageformer.training.tasks.decode_memory import DecodeMemory
from stageformer.training.tasks.masked import MaskedTokens
from stageformer.training.tasks.next_token import NextToken
from stageformer.training.tasks.translation import TranslationTask

CPU = torch.device("cpu")
DEFAULT = read_yaml(Path(__file__).parents[2] / "recipes/default.yaml")
Corpus = Callable[..., dict[str, Pairs]]
MakeModel = Callable[..., Transformer]


def params(cls: type[Any], group: str, **changes: object) -> Any:
    values = DEFAULT[group]
    assert isinstance(values, dict)
    return parse(cls, {**values, **changes}, group)


def write_memory(folder: Path, pairs: Pairs, fingerprint: str = "f") -> None:
    writer = MemoryWriter(
        folder, pairs.ids, pairs.source.lengths, width=16, dtype="float32", fingerprint=fingerprint, shard_tokens=500
    )
    for shard in writer.shards():
        rows = np.array(shard.rows)
        _, present = pairs.source.take(rows).padded(0)
        shard.put(rows, torch.zeros(*present.shape, 16), present)


@pytest.mark.parametrize(
    ("way", "objective", "expected"),
    [
        ("staged", "translation", TranslationTask),
        ("staged", "masked", MaskedTokens),
        ("staged", "next_token", NextToken),
        ("staged", "none", type(None)),
        ("joint", "translation", type(None)),
        ("joint", "masked", type(None)),
    ],
)
def test_the_encoder_is_trained_by_its_objective_or_not_at_all(
    copy_corpus: Corpus, transformer: MakeModel, way: str, objective: str, expected: type
) -> None:
    chosen = params(TrainEncoder, "train_encoder", way=way, objective=objective)
    vocabulary = Vocabulary.from_counts({f"t{number}": 1 for number in range(10)}, min_frequency=1, max_size=None)
    task = encoder_task(chosen, transformer(), copy_corpus(5, 5), vocabulary, CPU, 99)
    assert type(task) is expected
    if isinstance(task, MaskedTokens):
        assert (task.masked_fraction, task.num_special) == (chosen.masked_fraction, len(SPECIAL_TOKENS))


class Maker(EncoderSource):
    """A maker of one vector a token that is known by its fingerprint alone."""

    fingerprint = ""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint


def test_the_decoder_learns_from_memory_or_with_the_encoder(
    copy_corpus: Corpus, transformer: MakeModel, tmp_path: Path
) -> None:
    splits, model = copy_corpus(8, 4), transformer()
    chosen = params(TrainDecoder, "train_decoder")

    def task(memory: Path | None, fingerprint: str = "f") -> Any:
        return decoder_task(chosen, model, splits, memory, Maker(fingerprint), 0, CPU)

    assert type(task(None)) is TranslationTask
    for split, pairs in splits.items():
        write_memory(tmp_path / split, pairs)
    staged = task(tmp_path)
    assert type(staged) is DecodeMemory
    assert staged.model is model.decoder
    assert {split: len(stores) for split, stores in staged.memories.items()} == {"train": 1, "valid": 1}
    for copy in (1, 2, 3):
        write_memory(dropout_copy(tmp_path, copy), splits["train"])
    stores = task(tmp_path).memories["train"]
    assert [store.folder.name for store in stores] == [f"train-dropout-{copy:02d}" for copy in (1, 2, 3)]
    with pytest.raises(StageformerError, match="holds memory of the maker f, needed that of another"):
        task(tmp_path, "another")
    write_empty_memories(tmp_path)
    with pytest.raises(StageformerError, match=r"the memory is empty, since train_encoder\.way was 'joint'"):
        task(tmp_path)
