"""What the ``config.json`` of a model of the library Transformers says, read without the library and without torch.

So the stage ``check`` can refuse an encoder that does not fit before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stageformer.artifacts.reading import read_json
from stageformer.errors import StageformerError
from stageformer.params.encode import kept_layers
from stageformer.params.groups import Parameters

NAME = "config.json"
_LAYERS = ("num_hidden_layers", "encoder_layers", "num_layers")
_HEADS = ("num_attention_heads", "encoder_attention_heads", "num_heads")
_D_FF = ("intermediate_size", "encoder_ffn_dim", "d_ff")
"""What configurations call the number of layers, that of heads, and the inner width."""
_COUNT_FROM_THE_PADDING = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert")


class Sizes(NamedTuple):
    """Of an encoder."""

    num_layers: int
    num_heads: int
    d_ff: int


def read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration in a folder.

    Raises:
        StageformerError: there is none, or the model needs code of its own.
    """
    if not (folder / NAME).is_file():
        raise StageformerError(
            f"{folder}: holds no {NAME}; train_encoder.pretrained.path should name the folder of a model"
        )
    values = read_json(folder / NAME)
    if not isinstance(values, dict) or "auto_map" in values:
        raise StageformerError(f"{folder}: the model needs Python code of its own, which is never run; choose another")
    return values


def sizes(folder: Path, values: Mapping[str, Any]) -> Sizes:
    """Return the sizes that a configuration says. Raises StageformerError where it says none."""

    def first(names: tuple[str, ...]) -> int:
        for name in names:
            if type(values.get(name)) is int:
                return int(values[name])
        raise StageformerError(f"{folder / NAME}: says none of {', '.join(names)}; is it an encoder of text?")

    return Sizes(first(_LAYERS), first(_HEADS), first(_D_FF))


def positions(values: Mapping[str, Any]) -> int | None:
    """Return how many tokens a model has positions for; None: any number."""
    found = values.get("max_position_embeddings")
    if type(found) is not int:
        return None
    if values.get("model_type") in _COUNT_FROM_THE_PADDING:
        return found - (values.get("pad_token_id") or 0) - 1
    return found


def check_encoder(params: Parameters) -> None:
    """Check what can be told of a pretrained encoder, where its folder is still there: later stages do without it.

    Raises:
        StageformerError: the model needs code of its own, has no such layer, or takes no sentences of this length.
    """
    path = params.train_encoder.pretrained.path
    if params.train_encoder.trained_by != "pretrained" or path is None or not Path(path).is_dir():
        return
    folder = Path(path)
    values = read_config(folder)
    kept_layers(params.encode.layers, sizes(folder, values).num_layers)
    limit = positions(values)
    if limit is not None and params.embed.max_length > limit:
        raise StageformerError(
            f"{folder}: the model takes {limit} tokens, but embed.max_length is {params.embed.max_length}; lower it"
        )
