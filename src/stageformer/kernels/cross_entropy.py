"""Label-smoothed cross-entropy, fused with the output projection.

The logits of all tokens over the whole vocabulary, ``[N, V]``, are the largest tensor of a small model by far. Here
they are in memory for a chunk of tokens at a time, which is used for the value and for both gradients while it is still
in the cache, and then overwritten (the idea of Wijmans et al. 2024, "Cut Your Losses").

A chunk is held with the vocabulary along its rows, ``[V, chunk]``: matrix libraries multiply that way round faster, by
up to a fifth of the whole loss on the CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_TOKENS = 128
"""On the CPU: what stays in the cache of a core."""

CHUNK_TOKENS_ON_GPU = 4096
"""Each chunk starts a dozen kernels, so that a small one is all waiting."""


def cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
    """Take the place of :func:`stageformer.training.loss.cross_entropy`: only a chunk of logits in memory."""
    needs_gradient = torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad)
    # Under autocast the hidden states may be of half precision; the loss is computed in the precision of the weight.
    both: tuple[Tensor, Tensor] = _ProjectedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden.to(weight.dtype), weight, targets, label_smoothing, needs_gradient
    )
    return both


class _ProjectedCrossEntropy(torch.autograd.Function):
    """Value and gradients in one pass over the tokens: the gradients only wait for the factor from above."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, smoothing: float, needs_gradient: bool
    ) -> tuple[Tensor, Tensor]:
        log_total = hidden.new_empty(len(targets))  # of each token: the logarithm of the softmax's denominator
        if needs_gradient:
            hidden_gradient, weight_gradient = torch.empty_like(hidden), torch.empty_like(weight)
        with torch.autocast(hidden.device.type, enabled=False):
            size = CHUNK_TOKENS if hidden.device.type == "cpu" else CHUNK_TOKENS_ON_GPU
            buffer = hidden.new_empty(weight.size(0) * min(size, len(targets)))
            for start in range(0, len(targets), size):
                chunk = hidden[start : start + size]
                rows = slice(start, start + len(chunk))
                logits = buffer[: weight.size(0) * len(chunk)].view(weight.size(0), len(chunk))  # [V, chunk]
                torch.mm(weight, chunk.t(), out=logits)
                largest = logits.amax(0)
                exponentials = logits.sub_(largest).exp_()
                total = exponentials.sum(0)
                log_total[rows] = largest + total.log()
                if needs_gradient:
                    # Probabilities are exponentials / total. The division waits for the small factor or product.
                    torch.mm(exponentials.t(), weight, out=hidden_gradient[rows]).div_(total[:, None])
                    # The first product overwrites: filling [V, D] with zeros first would be one more pass over it.
                    weight_gradient.addmm_(exponentials, chunk / total[:, None], beta=float(start > 0))
            # What is wanted, the target and the smoothing, is of rank one per token and needs no pass over [N, V].
            target_weight, mean_weight = weight[targets], weight.mean(0)
            surprise = log_total - (hidden * target_weight).sum(-1)
            nll = surprise.sum()
            smoothed = ((1 - smoothing) * surprise + smoothing * (log_total - hidden @ mean_weight)).sum()
            if needs_gradient:
                hidden_gradient.sub_(target_weight, alpha=1 - smoothing).sub_(mean_weight, alpha=smoothing)
                weight_gradient.index_add_(0, targets, hidden, alpha=smoothing - 1)
                weight_gradient.sub_(hidden.sum(0), alpha=smoothing / weight.size(0))
        if needs_gradient:
            ctx.save_for_backward(hidden_gradient, weight_gradient)
        ctx.mark_non_differentiable(nll)
        return smoothed, nll

    @staticmethod
    def backward(ctx: Any, factor: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        hidden_gradient, weight_gradient = ctx.saved_tensors
        if factor.device.type == "cpu" and factor == 1:  # as in training; a GPU would have to be waited for
            return hidden_gradient, weight_gradient, None, None, None
        return hidden_gradient * factor, weight_gradient * factor, None, None, None
