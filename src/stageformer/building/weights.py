"""The weights of a model by name, each of them once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Return every weight once, by name: a shared matrix is only under its first name."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()}


class Undrawn(TorchFunctionMode):
    """Within this block, modules leave the random initial values out: those of their weights are to be loaded.

    Drawing them takes longer than reading them from a file.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, or replace it where it draws."""
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if function is torch.randn else function)(*args, **kwargs)


@torch.no_grad()
def load_weights(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Copy ``weights`` (as :func:`weights_of` named them) into ``module``.

    Raises:
        ValueError: a name is missing or too many, or a shape or the type of the numbers differs.
    """
    parameters = dict(module.named_parameters())
    if parameters.keys() != weights.keys():
        missing, unknown = sorted(parameters.keys() - weights.keys()), sorted(weights.keys() - parameters.keys())
        raise ValueError(f"weights do not fit the model: missing {missing[:3]}, unknown {unknown[:3]}")
    for name, parameter in parameters.items():
        if parameter.shape != weights[name].shape:
            raise ValueError(
                f"{name} has the shape {list(weights[name].shape)}, the model needs {list(parameter.shape)}"
            )
        if parameter.dtype != weights[name].dtype:
            raise ValueError(f"{name} holds numbers of type {weights[name].dtype}, the model needs {parameter.dtype}")
        parameter.copy_(weights[name])
