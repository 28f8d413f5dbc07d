"""Models as artifacts: the encoder of ``train_encoder`` and the whole Transformer of ``train_decoder``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.errors import StageformerError
from stageformer.model.config import TransformerConfig
from stageformer.model.transformer import Transformer, load_weights, weights_of


def save_model(path: Path, kind: str, model: Transformer, metadata: dict[str, Any]) -> None:
    """Write a Transformer with its configuration, so that :func:`load_model` can build it again.

    Args:
        path: the ``.pt`` file
        kind: ``model``, or ``encoder`` for an encoder with the throw-away decoder that trained it
        model: its shared matrices are stored once
        metadata: plain values to keep beside
    """
    content = metadata | {
        "config": model.config.to_dict(),
        "encoder_fingerprint": encoder_fingerprint(model.encoder),
    }
    write_tensors(path, kind, weights_of(model), content)


def load_model(path: Path, kind: str = "model") -> tuple[Transformer, dict[str, Any]]:
    """Read a Transformer, in eval mode, and the metadata beside it.

    Raises:
        StageformerError: the file is missing, damaged, of another kind, or its weights do not fit its configuration.
    """
    file = read_tensors(path, kind)
    try:
        model = Transformer(TransformerConfig.from_dict(file.metadata["config"]))
        load_weights(model, file.tensors)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"the weights do not fit the configuration ({error})"
        raise StageformerError(f"{path}: {reason}{rerun_hint(kind)}") from None
    return model.eval(), file.metadata


def encoder_fingerprint(encoder: nn.Module) -> str:
    """Return a hash of the names, shapes and bits of all weights: equal fingerprints mean equal memories."""
    digest = hashlib.sha256()
    for name, weight in sorted(weights_of(encoder).items()):
        digest.update(f"{name} {list(weight.shape)} {weight.dtype}".encode())
        digest.update(_bytes(weight))
    return digest.hexdigest()


def _bytes(weight: Tensor) -> bytes:
    return weight.cpu().contiguous().numpy().tobytes()
