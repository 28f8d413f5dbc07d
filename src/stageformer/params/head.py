"""Parameters of a head: of the stages ``train_head`` and ``evaluate_head`` (``heads/dvc.yaml``)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from stageformer.params.base import Params, group, param
from stageformer.params.training import Training


class Head(Params):
    """What is learned from the saved memory besides a decoder: the labels of sentences or of words (ingest.labels)."""

    layer: int | None = param(
        "which layer to read, where the memory keeps several side by side, by its number; null: all of them",
        minimum=0, maximum=1000,
    )  # fmt: skip
    mix: bool = param("of several layers, read their mean with learned weights instead of all side by side")
    standardize: bool = param("bring each feature to mean 0 and deviation 1 over the tokens of train first")
    pooling: Literal["mean", "max", "cls", "attention"] = param(
        "labels of sentences: how the vectors of the tokens become one: mean, largest value, that of the first token, "
        "or a mean with learned weights"
    )
    words: Literal["first", "mean"] = param(
        "ingest.labels tags, where nothing is pooled: the vector of a word is that of its first token, or their mean"
    )
    hidden_size: int | None = param(
        "width of a hidden layer with ReLU; null: none, the classifier is linear", minimum=1, maximum=1_000_000
    )
    dropout: float = param("dropout before each linear layer", minimum=0, maximum=0.95)
    class_weights: Literal["none", "balanced"] = param(
        "balanced: a label counts in the loss as much as it is rare in train; none: all examples count the same"
    )
    threshold: float = param(
        "ingest.labels several: the probability from which on a label is predicted", minimum=0, maximum=1
    )
    unseen_labels: Literal["refuse", "wrong"] = param(
        "labels of valid or test that train has not: refuse to begin, or count them as wrong"
    )
    training: Training = group("optimisation: what an update is, how many there are, which weights are kept")

    @model_validator(mode="after")
    def _has_no_layers(self) -> Self:
        if self.training.optimizer == "muon":
            raise ValueError(
                "training.optimizer is 'muon', which is for the matrices inside of Transformer layers, and a head has "
                "none; use 'adam'"
            )
        return self
