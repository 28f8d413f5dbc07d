"""Probes on all layers of an encoder and of a random one, beside a control task (Hewitt and Liang 2019)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stageformer.batching.batches import batches_by_length
from stageformer.building.model_files import load_model
from stageformer.building.others import EncoderOfOthers
from stageformer.errors import StageformerError
from stageformer.model.transformer import Encoder, Transformer
from stageformer.probing.examples import Examples, read_examples
from stageformer.probing.linear import fit
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import load_vocabularies

BATCH_TOKENS = 4096
MIX = "mix"
"""In place of the number of a layer: the learned mix of all."""


@dataclass(frozen=True)
class Place:
    """What probes found in one layer; all lists have a value for each seed."""

    layer: str
    """0: the embedding; then the layers from 1; or ``mix``"""
    accuracy: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    """of the same probe on random labels"""
    random: list[float] = field(default_factory=list)
    """of the same probe on an encoder with random weights"""

    @property
    def selectivity(self) -> list[float]:
        """By how much the accuracy is above that of the control task: what is not the probe's own memory."""
        return [real - control for real, control in zip(self.accuracy, self.control, strict=True)]


@dataclass(frozen=True)
class Probed:
    """What probes found in an encoder."""

    places: list[Place]
    mix: list[list[float]]
    """how much of each layer the mix reads, for each seed ``[L + 1]``; they sum to 1"""
    majority: list[float]
    """the share of the most frequent label of train in the tested examples, for each seed"""
    classes: int
    examples: tuple[int, int]
    """of train and of the tested split, of the first seed"""


def probe(root: Path, *, split: str, seeds: Sequence[int], most: int) -> Probed:
    """Probe the encoder of a repository.

    Each seed draws other sentences, another control task and another random encoder.

    Args:
        root: of a repository in which the stage train_encoder has run, on a corpus with labels.
        split: on which the probes are tested.
        seeds: at least one.
        most: examples to train a probe on, and as many to test it.

    Raises:
        StageformerError: as :func:`read_examples`, or there is no encoder.
    """
    data = root / "data"
    tokenizers = load_tokenizers(data / "tokenize/tokenizer")
    vocabularies = load_vocabularies(data / "vocab", tokenizers.parts)
    model, _ = load_model(data / "train_encoder/encoder.pt", "encoder", vocabularies)
    if isinstance(model.encoder, EncoderOfOthers):
        raise StageformerError(
            f"{data / 'train_encoder/encoder.pt'}: is of others, and a probe compares with the same encoder untrained, "
            "which there is only of ours"
        )
    names = [*map(str, range(model.config.encoder.num_layers + 1)), MIX]
    places = [Place(name) for name in names]
    mix: list[list[float]] = []
    majority: list[float] = []
    sizes: list[tuple[int, tuple[int, int]]] = []
    for seed in seeds:
        train, tested = (
            read_examples(data, name, tokenizers.source, vocabularies, most, seed) for name in ("train", split)
        )
        classes = sorted({*train.labels, *tested.labels})
        if len(set(train.labels)) < 2:
            raise StageformerError(f"train: all examples have the label {train.labels[0]!r}; there is nothing to learn")
        labels = [_numbered(examples.labels, classes) for examples in (train, tested)]
        control = control_labels(train, tested, labels[0], seed)
        torch.manual_seed(seed)
        encoders = {"accuracy": model.encoder, "random": Transformer(model.config).eval().encoder}
        for name, encoder in encoders.items():
            of_train, of_tested = (
                features(encoder, examples, vocabularies.source.pad_id) for examples in (train, tested)
            )
            for place in places:
                layers = slice(None) if place.layer == MIX else slice(int(place.layer), int(place.layer) + 1)
                found = fit(of_train[layers], labels[0], len(classes))
                getattr(place, name).append(found.accuracy(of_tested[layers], labels[1]))
                if name == "random":
                    continue
                if place.layer == MIX:
                    mix.append(found.mix.tolist())
                on_control = fit(of_train[layers], control[0], len(classes))
                place.control.append(on_control.accuracy(of_tested[layers], control[1]))
        most_frequent = int(labels[0].bincount().argmax())
        majority.append(float((labels[1] == most_frequent).double().mean()))
        sizes.append((len(classes), (len(train.labels), len(tested.labels))))
    return Probed(places, mix, majority, *sizes[0])


def _numbered(labels: Sequence[str], classes: Sequence[str]) -> Tensor:
    numbers = {name: number for number, name in enumerate(classes)}
    return torch.tensor([numbers[label] for label in labels])


def control_labels(train: Examples, tested: Examples, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Give each type one random label, wherever it occurs: drawn as often as the real labels are in train.

    Args:
        train: examples.
        tested: examples.
        labels: the real ones of train, ``[N]``.
        seed: of the draw.

    Returns:
        The labels of the control task, of both.
    """
    generator = np.random.default_rng([seed, 1])
    types = sorted({*train.types, *tested.types})
    drawn = dict(zip(types, generator.choice(labels.numpy(), len(types)).tolist(), strict=True))
    first, second = (torch.tensor([drawn[one] for one in examples.types]) for examples in (train, tested))
    return first, second


@torch.no_grad()
def features(encoder: Encoder, examples: Examples, pad_id: int) -> Tensor:
    """Return what every layer makes of the examples, ``[L + 1, N, D]``."""
    parts: list[Tensor] = []
    order: list[int] = []
    # The examples are in the order of their sentences.
    bounds = np.searchsorted(examples.sentence, np.arange(len(examples.sentences.lengths) + 1))
    for rows in batches_by_length(examples.sentences.lengths, BATCH_TOKENS):
        ids, present = examples.sentences.take(rows).padded(pad_id)
        states = torch.stack(encoder.states(ids, present))  # [L + 1, B, S, D]
        means = (states * present[None, :, :, None]).sum(2) / present.sum(1)[None, :, None]  # [L + 1, B, D]
        for place, row in enumerate(rows.tolist()):
            for example in range(bounds[row], bounds[row + 1]):
                token = int(examples.token[example])
                parts.append(means[:, place] if token < 0 else states[:, place, token])
                order.append(example)
    stacked = torch.stack(parts, 1)  # [L + 1, N, D]
    return stacked[:, torch.tensor(np.argsort(order))]


def summary(probed: Probed) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Yield the name of each place with four pairs of mean and standard deviation.

    They are of the accuracy, of that in the control task, of the selectivity, and of the accuracy on a random encoder.
    """
    for place in probed.places:
        values = (place.accuracy, place.control, place.selectivity, place.random)
        yield place.layer, [mean_and_sd(each) for each in values]


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation; of a single value, the latter is NaN."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else float("nan")
