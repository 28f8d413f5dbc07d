"""How much each stage has to do, in numbers that its time and its disk grow in proportion to.

Time grows with rows, tokens, or the arithmetic of the model; a stage's work is comparable with its own alone, in
another run. The arithmetic counts two operations for each weight that a token meets, three times as many where it is
trained, and :data:`OPERATIONS_OF_AN_ACTIVATION` for everything that is no matrix product.

This module does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stageformer.artifacts.header import SPLITS
from stageformer.compute.disk import required_bytes
from stageformer.compute.estimate import NUMBER, Weights, layer_activations
from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.params.encode import kept_layers
from stageformer.params.groups import Parameters
from stageformer.params.model import stated
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import UNTRAINED, TrainEncoder

STAGES = (
    "ingest", "tokenize", "vocab", "embed", "train_encoder", "encode", "train_decoder", "translate", "evaluate",
    "export",
)  # fmt: skip
OPERATIONS_OF_AN_ACTIVATION = 150
"""Of a matrix product, in the time that one number between two of them takes in a forward pass: norms, dropout,
copies. Matrix products are 60 to 66 % of a training of Transformer-Tiny (docs/scaling.md), of which this follows."""
TRAINING = 3
"""Forward and backward pass, in forward passes."""


@dataclass(frozen=True)
class Corpus:
    """How large a corpus is, as a run found it."""

    read: int
    """records that ``ingest`` read"""
    rows: Mapping[str, int]
    """sentence pairs by split"""
    source_tokens: Mapping[str, int]
    """by split, without ``<eos>``"""
    target_tokens: Mapping[str, int]
    """by split, without ``<bos>`` and ``<eos>``"""
    vocabulary: tuple[int, int]
    """entries of source and target"""

    @staticmethod
    def of(experiment: Experiment) -> Corpus:
        """Read it from the reports of the stages before training. Raises StageformerError when one is missing."""
        found: list[Any] = [experiment.read_json(f"reports/{name}/metrics.json") for name in STAGES[:3]]
        ingest, tokenize, vocab = found
        try:
            sizes = {name: int(entry["size"]) for name, entry in vocab["vocabulary"].items()}
            source, target = (sizes.get(side, sizes.get("shared", 0)) for side in ("source", "target"))
            return Corpus(
                int(ingest["read"]),
                {split: int(ingest["sentences"][split]) for split in SPLITS},
                {split: int(tokenize[split]["source"]["tokens"]) for split in SPLITS},
                {split: int(tokenize[split]["target"]["tokens"]) for split in SPLITS},
                (source, target),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StageformerError(
                f"{experiment.name}: the reports of ingest, tokenize and vocab are not as this version writes them "
                f"({error!r}); run `dvc repro --force vocab`"
            ) from None

    def scaled(self, factors: Mapping[str, float], read: int) -> Corpus:
        """Return a corpus of the same kind: by split, of so many times the rows, of which ``read`` were read."""

        def times(counts: Mapping[str, int]) -> dict[str, int]:
            return {split: round(counts[split] * factors[split]) for split in SPLITS}

        return replace(
            self, read=read, rows=times(self.rows), source_tokens=times(self.source_tokens),
            target_tokens=times(self.target_tokens),
        )  # fmt: skip

    @property
    def memory_tokens(self) -> dict[str, int]:
        """Vectors of the memory of each split, of which ``<eos>`` has one."""
        return {split: self.source_tokens[split] + self.rows[split] for split in SPLITS}


@dataclass(frozen=True)
class Work:
    """What a stage has to do in one run."""

    rows: int
    """sentences that it handles; of a training, those that it sees, again and again"""
    tokens: int
    """of both sides; of ``encode``, of the source"""
    time: float
    """what its time grows with"""
    disk: float
    """what its outputs grow with; of ``encode``, their bytes"""


def work_of(parameters: Parameters, corpus: Corpus) -> dict[str, Work]:
    """Return the work of each stage.

    Args:
        parameters: of the run.
        corpus: what it reads.
    """
    rows, tokens = sum(corpus.rows.values()), sum(map(_sum, (corpus.source_tokens, corpus.target_tokens)))
    weights = Weights.of(parameters, corpus.vocabulary)
    count = _Arithmetic(parameters, weights)
    width = parameters.embed.d_model
    entries = corpus.vocabulary[0] + (0 if parameters.vocab.shared else corpus.vocabulary[1])
    embeddings = weights.source + (0 if parameters.vocab.shared else weights.target)
    encoder = weights.encoder + weights.shallow + embeddings + weights.positions
    model = weights.encoder + weights.decoder + embeddings + weights.target + weights.positions
    split = parameters.translate.split
    translated, length = corpus.rows[split], corpus.target_tokens[split] + corpus.rows[split]
    searched = length * (parameters.translate.beam_size + 2)  # beam, greedy, and the probability of the target
    return {
        "ingest": Work(corpus.read, 0, corpus.read, rows),
        "tokenize": Work(rows, tokens, tokens, tokens),
        "vocab": Work(rows, tokens, tokens, tokens),
        "embed": Work(entries, 0, entries * width, NUMBER * (embeddings + weights.positions)),
        "train_encoder": _training(parameters.train_encoder, parameters, corpus, NUMBER * encoder, count.of_encoder()),
        "encode": _encoding(parameters, corpus, count.encoder),
        "train_decoder": _training(parameters.train_decoder, parameters, corpus, NUMBER * model, count.of_decoder()),
        "translate": Work(translated, length, searched * (count.decoder + count.output), length),
        "evaluate": Work(translated, length, translated, length),
        "export": Work(translated, length, translated, NUMBER * model * len(parameters.export.formats)),
    }


def training_time(parameters: Parameters, stage: str) -> float:
    """Return the work of a training from the parameters alone, without its validations; 0 where nothing is trained."""
    count = _Arithmetic(parameters, Weights.of(parameters))
    training = getattr(parameters, stage).training
    each = count.of_encoder() if stage == "train_encoder" else count.of_decoder()
    return float(training.max_updates * training.batch_tokens * TRAINING * each)


def _sum(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


class _Arithmetic:
    """Operations of a forward pass for one token of either side."""

    def __init__(self, parameters: Parameters, weights: Weights) -> None:
        self.parameters = parameters
        of_encoder, of_decoder = parameters.train_encoder, parameters.train_decoder
        self.encoder = 2 * weights.encoder + self._rest(of_encoder, stated(of_encoder, parameters.model, "num_layers"))
        self.shallow = 2 * weights.shallow + self._rest(of_encoder, of_encoder.decoder_num_layers)
        self.decoder = 2 * weights.decoder + self._rest(of_decoder, stated(of_decoder, parameters.model, "num_layers"))
        self.output = 2 * weights.target
        self.output_of_source = 2 * weights.source

    def _rest(self, stage: TrainEncoder | TrainDecoder, layers: int) -> float:
        d_ff = stated(stage, self.parameters.model, "d_ff")
        return float(OPERATIONS_OF_AN_ACTIVATION * layers * layer_activations(self.parameters.embed.d_model, d_ff))

    def of_encoder(self) -> float:
        """Return the operations of what ``train_encoder`` trains; 0 where it trains nothing."""
        by = self.parameters.train_encoder.trained_by
        if by in UNTRAINED:
            return 0.0
        return self.encoder + (self.shallow + self.output if by == "translation" else self.output_of_source)

    def of_decoder(self) -> float:
        """Return the operations of what ``train_decoder`` trains."""
        together = self.parameters.train_encoder.way == "joint" or self.parameters.train_decoder.finetune_encoder
        return self.decoder + self.output + (self.encoder if together else 0.0)


def _training(
    stage: TrainEncoder | TrainDecoder, parameters: Parameters, corpus: Corpus, disk: float, operations: float
) -> Work:
    training = stage.training
    if not operations:
        return Work(0, 0, 0.0, disk)
    longer = max(corpus.source_tokens["train"], corpus.target_tokens["train"]) + corpus.rows["train"]
    each = min(training.batch_tokens, longer)  # a corpus may be smaller than a batch
    tokens = training.max_updates * each
    validated = training.max_updates // training.validate_every * (
        max(corpus.source_tokens["valid"], corpus.target_tokens["valid"]) + corpus.rows["valid"]
    )
    rows = round(tokens * corpus.rows["train"] / max(1, longer))
    return Work(rows, tokens, operations * (TRAINING * tokens + validated), disk)


def _encoding(parameters: Parameters, corpus: Corpus, operations: float) -> Work:
    if parameters.train_encoder.way == "joint":
        return Work(0, 0, 0.0, 0.0)
    encode, depth = parameters.encode, stated(parameters.train_encoder, parameters.model, "num_layers")
    width = parameters.embed.d_model * len(kept_layers(encode.layers, depth) or [depth])
    times = {split: 1 + (encode.dropout_copies if split == "train" else 0) for split in SPLITS}
    rows, tokens, num_bytes = 0, 0, 0
    for split, count in times.items():
        by_sentence = parameters.train_encoder.objective == "service"
        vectors = (corpus.rows if by_sentence else corpus.memory_tokens)[split]
        rows, tokens = rows + count * corpus.rows[split], tokens + count * vectors
        shards = -(-vectors // encode.shard_tokens)
        num_bytes += count * required_bytes(vectors, corpus.rows[split], width, encode.dtype, shards)
    return Work(rows, tokens, tokens * operations, num_bytes)
