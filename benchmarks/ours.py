"""Stageformer's side of the comparison: its models, tasks and updates, made as its stages make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.corpus import Corpus
from stageformer.batching.sentences import Ints
from stageformer.building.build import build_encoder_model, build_model
from stageformer.building.embeddings import EmbeddingStart
from stageformer.building.start import make_embeddings
from stageformer.compute.device import prepare
from stageformer.compute.processes import Processes
from stageformer.memory.encoding import encode_splits
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.transformer import Transformer
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.embed import Embed
from stageformer.params.encode import Encode
from stageformer.params.model import Model
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.params.training import Training
from stageformer.training.decoder_task import decoder_task
from stageformer.training.encoder_task import encoder_task
from stageformer.training.state import TrainingState
from stageformer.training.step import Gradients, make_training_pool
from stageformer.training.tasks.base import Task


class Ours:
    """One setting of the pipeline's parameters on one corpus.

    Args:
        params: the whole parameter file.
        corpus: train and valid.
        memory: folder of the saved encoder output: :meth:`encode` writes it, :meth:`decoder_on_memory` reads it.

    Raises:
        StageformerError: there is no such device here.
    """

    def __init__(self, params: dict[str, Any], corpus: Corpus, memory: Path) -> None:
        self._compute = parse(Compute, params["compute"], "compute")
        self._encoder = parse(TrainEncoder, params["train_encoder"], "train_encoder")
        staged = params["train_encoder"] | {"way": "staged", "objective": "translation"}
        self._staged_encoder = parse(TrainEncoder, staged, "train_encoder")
        self._encode = parse(Encode, params["encode"], "encode")
        self._shared = parse(Model, params["model"], "model")
        self._decoder = parse(TrainDecoder, params["train_decoder"], "train_decoder")
        self._embed = parse(Embed, params["embed"], "embed")
        self._corpus, self._memory = corpus, memory
        self._pad_id = corpus.vocabularies.source.pad_id
        self._device = prepare(self._compute)

    def joint(self) -> tuple[Task, Training]:
        """Return the training of encoder and decoder together."""
        return self._decoder_task(None), self._decoder.training

    def encoder_stage(self) -> tuple[Task, Training]:
        """Return the training of the encoder with its throw-away decoder."""
        model = self.encoder_model().to(self._device)
        vocabulary = self._corpus.vocabularies.source
        task = encoder_task(self._staged_encoder, model, self._corpus.splits, vocabulary, self._device, 0)
        assert task is not None
        return task, self._staged_encoder.training

    def decoder_on_memory(self) -> tuple[Task, Training]:
        """Return the training of a decoder on the saved encoder output."""
        return self._decoder_task(self._memory), self._decoder.training

    def _decoder_task(self, memory: Path | None) -> Task:
        encoder_model = self.encoder_model()
        made_by = EncoderSource(encoder_model.encoder, self._pad_id)
        start = self._embedding_start()
        trains_encoder = memory is None
        model = build_model(self._decoder, self._shared, encoder_model, start, trains_encoder=trains_encoder)
        return decoder_task(
            self._decoder, model.to(self._device), self._corpus.splits, memory, made_by, self._pad_id, self._device
        )

    def encode(self) -> None:
        """Save the encoder's output of all sentences, as the stage ``encode`` does."""
        source = EncoderSource(self.encoder_model().encoder.to(self._device), self._pad_id)
        encode_splits(source, self._corpus.sources, self._encode, self._compute, self._memory)

    def encoder_model(self) -> Transformer:
        """Return the encoder as its stage begins it, the same each time, with its throw-away decoder."""
        return build_encoder_model(self._encoder, self._shared, self._embedding_start())

    def updates(self, task: Task, training: Training) -> Callable[[Ints], float]:
        """Return the function that trains on the sentences of one batch: all that the training loop does in between.

        It returns the mean loss of a token.
        """
        model = task.model
        model.train()
        processes = Processes(rank=0, size=1, device=self._device)
        pool = make_training_pool(training, self._compute, processes)
        gradients = Gradients(task, training, self._compute, pool, processes)
        state = TrainingState(model, training, pool)
        number = 0

        def update(rows: Ints) -> float:
            nonlocal number
            number += 1
            loss, tokens = gradients.compute(number, rows)
            state.clip(training.clip_norm)
            state.optimizer.step(training.learning_rate)
            return loss / tokens

        return update

    def _embedding_start(self) -> EmbeddingStart:
        return make_embeddings(self._embed, self._corpus.vocabularies)[0]
