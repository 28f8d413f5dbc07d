"""The task of the stage ``train_decoder``: a decoder on saved memory, or encoder and decoder together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from stageformer.batching.pairs import Pairs, require_targets
from stageformer.memory.sources.base import MemorySource
from stageformer.memory.store import dropout_copies, open_memory
from stageformer.model.dropout import Dropout
from stageformer.model.transformer import Transformer
from stageformer.params.train_decoder import TrainDecoder
from stageformer.training.tasks.base import Task
from stageformer.training.tasks.decode_memory import DecodeMemory
from stageformer.training.tasks.translation import TranslationTask


def decoder_task(
    params: TrainDecoder,
    model: Transformer,
    splits: Mapping[str, Pairs],
    memory: Path | None,
    maker: MemorySource,
    pad_id: int,
    device: torch.device,
) -> Task:
    """Return the task that trains a decoder.

    Args:
        params: the parameters of the stage
        model: encoder and decoder, on ``device``
        splits: the pairs of ``train`` and ``valid``
        memory: folder of the stage encode, for a decoder that learns from it; None: the encoder learns, too. Where
            there are copies with dropout, the decoder learns only from them, as if the encoder trained with it.
        maker: that the memory must be of
        pad_id: the id that fills a batch of sources up
        device: where to compute

    Raises:
        StageformerError: the corpus has no targets; the memory is empty, damaged, another encoder's, or of other
            sentences.
    """
    require_targets(splits["train"])
    smoothing = params.training.label_smoothing
    if memory is None:
        return TranslationTask(model, splits, pad_id, device, smoothing)
    folders = {"train": dropout_copies(memory) or [memory / "train"], "valid": [memory / "valid"]}
    memories = {
        split: [
            open_memory(folder, pairs.ids, maker.fingerprint, maker.lengths(pairs.source.lengths))
            for folder in folders[split]
        ]
        for split, pairs in splits.items()
    }
    dropout = Dropout(params.memory_dropout)
    return DecodeMemory(model.decoder, splits, memories, dropout, device, smoothing)
