"""Adam, as section 5.3 of the paper has it."""

from __future__ import annotations

import torch
from torch import nn

from stageformer.params.training import Training


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Make Adam (Kingma & Ba 2015; section 5.3 of the paper) with decoupled weight decay on matrices alone."""
    matrices = [parameter for parameter in model.parameters() if parameter.requires_grad and parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.requires_grad and parameter.dim() <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=training.learning_rate,
        betas=(training.adam_beta1, training.adam_beta2),
        eps=training.adam_epsilon,
        fused=True,
    )
