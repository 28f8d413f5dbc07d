"""Models as artifacts: the encoder of ``train_encoder`` and the whole Transformer of ``train_decoder``."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from stageformer.artifacts.fields import check_fields
from stageformer.artifacts.files import first_line
from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.made_with import Parts, check_made_with, made_with
from stageformer.artifacts.tensors import TensorFile, check_finite, read_tensors, write_tensors
from stageformer.building.bridge import Bridge, BridgeConfig
from stageformer.building.others import EncoderOfOthers
from stageformer.building.pretrained import Pretrained, PretrainedEncoder
from stageformer.building.projection import multiply_out
from stageformer.building.service import Served, ServiceEncoder
from stageformer.building.weights import Undrawn, load_weights, weights_of
from stageformer.errors import StageformerError
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Encoder, Transformer
from stageformer.text.vocabulary import Vocabularies


def save_model(path: Path, kind: str, model: Transformer, metadata: dict[str, Any], parts: Parts | None = None) -> None:
    """Write a Transformer with its configuration, so that :func:`load_model` can build it again.

    Args:
        path: the ``.pt`` file
        kind: ``model``, or ``encoder`` for an encoder with the throw-away decoder that trained it
        model: its shared matrices are stored once; a projection of its embeddings is multiplied out
        metadata: plain values to keep beside
        parts: the vocabularies that it was trained with, and their tokenizer
    """
    multiply_out(model)
    content = metadata | {
        "config": config_values(model.config),
        "encoder_fingerprint": weights_fingerprint(model.encoder),
        "fingerprint": weights_fingerprint(model),
        "made_with": made_with(parts or {}),
    }
    if isinstance(model.encoder, EncoderOfOthers):
        content[_SERVICE if isinstance(model.encoder, ServiceEncoder) else _PRETRAINED] = (
            model.encoder.description.values()
        )
    if isinstance(model.decoder.bridge, Bridge):
        content[_BRIDGE] = dataclasses.asdict(model.decoder.bridge.config)
    write_tensors(path, kind, weights_of(model), content)


_PRETRAINED, _SERVICE, _BRIDGE = "pretrained", "service", "bridge"
"""In the metadata: what an encoder of others is, and the shape of the bridge; only of models that have them."""


def config_values(config: TransformerConfig) -> dict[str, Any]:
    """Return a configuration as plain values, without what is None: that is missing in files."""

    def stated(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in values if value is not None}

    return dataclasses.asdict(config, dict_factory=stated)


def load_model(
    path: Path, kind: str = "model", vocabularies: Vocabularies | None = None
) -> tuple[Transformer, dict[str, Any]]:
    """Read a Transformer, in eval mode, and the metadata beside it.

    Raises:
        StageformerError: the file is missing, damaged, of another kind, or its weights do not fit its configuration,
            a weight is not finite, or it was not trained with the vocabularies that are given.
    """
    file = read_tensors(path, kind)
    if vocabularies is not None:
        check_made_with(path, file.metadata, vocabularies.parts)
    try:
        config = config_from(file.metadata["config"])
        if config.encoder.num_layers + config.decoder.num_layers > len(file.tensors):
            raise ValueError("more layers than weights")
        with Undrawn():
            model = Transformer(config, _encoder_of_others(config, file))
            model.decoder.bridge = _bridge(file.metadata)
        load_weights(model, file.tensors)
        if not isinstance(file.metadata["encoder_fingerprint"], str):
            raise TypeError("encoder_fingerprint is not a text")
    except (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:  # RuntimeError: sizes too large
        reason = f"the weights do not fit the configuration ({first_line(error)})"
        raise StageformerError(f"{path}: {reason}{rerun_hint(kind)}") from None
    if vocabularies is not None:
        _check_sizes(path, config, vocabularies)
    check_finite(path, kind, weights_of(model))  # here, not in the mapped file, which would be read once more
    return model.eval(), file.metadata


def _encoder_of_others(config: TransformerConfig, file: TensorFile) -> EncoderOfOthers | None:
    """Return the encoder of others that a file holds, if it does. Raises KeyError, TypeError, ValueError."""
    if _SERVICE in file.metadata:
        return ServiceEncoder(Served.of_file(file.metadata[_SERVICE]), config.source, config.encoder)
    if _PRETRAINED not in file.metadata:
        return None
    start = "encoder.weights."
    weights = {name.removeprefix(start): weight for name, weight in file.tensors.items() if name.startswith(start)}
    description = Pretrained.of_file(file.metadata[_PRETRAINED])
    if description.embedding not in weights:
        raise ValueError(f"{description.embedding} is missing")
    return PretrainedEncoder(description, config.source, config.encoder, weights)


def _bridge(metadata: Mapping[str, Any]) -> nn.Module:
    """Return the bridge that a file describes, or the identity where it says nothing. Raises TypeError, ValueError."""
    if _BRIDGE not in metadata:
        return nn.Identity()
    check_fields(BridgeConfig, metadata[_BRIDGE], _BRIDGE)
    return Bridge(BridgeConfig(**metadata[_BRIDGE]))


def _check_sizes(path: Path, config: TransformerConfig, vocabularies: Vocabularies) -> None:
    """Raise StageformerError unless there is an embedding for each token, which also files of old versions tell."""
    for side in ("source", "target"):
        needed, found = getattr(config, side).vocabulary_size, len(getattr(vocabularies, side))
        if needed != found:
            raise StageformerError(
                f"{path}: has {needed} {side} embeddings, but the vocabulary of {vocabularies.folder} has {found} "
                "entries; they do not belong together: make them again with `dvc repro`"
            )


def config_from(values: Mapping[str, Any]) -> TransformerConfig:
    """Return the configuration that the nested ``values`` of a ``.pt`` file describe.

    Raises:
        KeyError, TypeError, ValueError: a value is missing, of another type or outside of its limits.
    """
    for side, kind in (("source", EmbeddingConfig), ("target", EmbeddingConfig), ("encoder", StackConfig),
                       ("decoder", StackConfig)):  # fmt: skip
        check_fields(kind, values[side], f"config.{side}")
    kept, last = values["encoder"].get("kept"), values["encoder"]["num_layers"]
    if kept is not None and not (isinstance(kept, list) and kept and all(_is_layer(one, last) for one in kept)):
        raise ValueError(f"config.encoder.kept is no list of layers from 0 to {last}")
    for name in ("share_embeddings", "tie_output"):
        if type(values[name]) is not bool:
            raise ValueError(f"config.{name} is not true or false")
    return TransformerConfig(
        source=EmbeddingConfig(**values["source"]),
        target=EmbeddingConfig(**values["target"]),
        encoder=StackConfig(**values["encoder"]),
        decoder=StackConfig(**values["decoder"]),
        share_embeddings=values["share_embeddings"],
        tie_output=values["tie_output"],
    )


def _is_layer(number: object, last: int) -> bool:
    return type(number) is int and 0 <= number <= last


def weights_fingerprint(module: nn.Module) -> str:
    """Return a hash of names, shapes and bits of all weights: encoders with the same one make the same memories."""
    digest = hashlib.sha256()
    if any(getattr(part, "causal", False) for part in module.modules()):
        digest.update(b"causal")
    for part in module.modules():
        if isinstance(part, EncoderOfOthers):
            digest.update(part.identity)
        if isinstance(part, Encoder) and part.kept is not None:
            digest.update(f"layers {part.kept}".encode())
    for name, weight in sorted(weights_of(module).items()):
        digest.update(f"{name} {list(weight.shape)} {weight.dtype}".encode())
        digest.update(_bytes(weight))
    return digest.hexdigest()


def _bytes(weight: Tensor) -> bytes:
    return weight.cpu().contiguous().numpy().tobytes()
