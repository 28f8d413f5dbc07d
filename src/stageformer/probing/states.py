"""The states of every layer of an encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from stageformer.model.transformer import Encoder


@torch.no_grad()
def layer_states(encoder: Encoder, ids: Tensor, present: Tensor) -> Tensor:
    """Run an encoder, and return what each layer makes of each token.

    Args:
        encoder: in eval mode.
        ids: ``[B, S]``.
        present: ``[B, S]`` boolean, True where there is a token.

    Returns:
        ``[L + 1, B, S, D]``: the embedding with its position, then the output of each layer. The last is the memory:
        of a pre-norm stack, after the final norm.
    """
    found: list[Tensor] = []

    def keep(module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
        found.append(output)

    hooks = [module.register_forward_hook(keep) for module in (encoder.embedding, *encoder.layers)]
    try:
        memory = encoder(ids, present)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack([*found[:-1], memory])
