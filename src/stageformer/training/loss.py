"""The loss of a batch, and the label-smoothed cross-entropy of section 5.4 of the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from stageformer.kernels import cross_entropy as kernel
from stageformer.kernels.choice import accelerated_by


class Loss(NamedTuple):
    """The loss of some targets, as sums over them: divide by ``num_targets`` for means."""

    total: Tensor
    """a scalar: what training minimises"""
    num_targets: int
    sums: dict[str, Tensor]
    """further figures by name, each a scalar summed over the targets, without gradient"""


@accelerated_by(kernel.cross_entropy)
def cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
    """Project hidden states to the vocabulary and compare with the targets (section 5.4 of the paper).

    With smoothing e, the wanted distribution is 1 - e on the target plus e / V on every token, as in
    ``torch.nn.functional.cross_entropy``.

    Args:
        hidden: ``[N, D]``; under autocast perhaps of half precision: the loss is computed in that of the weight
        weight: the output projection, ``[V, D]``
        targets: ids, ``[N]``, at least one
        label_smoothing: e, from 0 to 1

    Returns:
        Two scalars, summed over the targets: the smoothed loss, and the negative log-likelihood in nats. Only the first
        has a gradient.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        logits = hidden.to(weight.dtype) @ weight.t()  # [N, V]
        surprise = -logits.log_softmax(-1)
        nll = surprise.gather(1, targets[:, None]).sum()
        smoothed = (1 - label_smoothing) * nll + label_smoothing * surprise.mean(-1).sum()
    return smoothed, nll.detach()


def token_loss(hidden: Tensor, weight: Tensor, targets: Tensor, label_smoothing: float) -> Loss:
    """Return the loss of predicting tokens: see :func:`cross_entropy`."""
    smoothed, nll = cross_entropy(hidden, weight, targets, label_smoothing)
    return Loss(smoothed, targets.numel(), {"nll": nll})


def perplexity(means: Mapping[str, float]) -> dict[str, float]:
    """Return the perplexity of tokens: exp of their mean negative log-likelihood, without smoothing."""
    return {"perplexity": math.exp(means["nll"])}


def of_characters(nll: float, num_tokens: int, num_characters: int) -> dict[str, float]:
    """Return the perplexity of tokens, and bits per character, which compare models of different tokens.

    Args:
        nll: the mean negative log-likelihood of a token, in nats
        num_tokens: of a text, all of which have this mean
        num_characters: of the same text
    """
    bits = nll / math.log(2) * num_tokens / num_characters
    return {**perplexity({"nll": nll}), "bits_per_character": bits}
