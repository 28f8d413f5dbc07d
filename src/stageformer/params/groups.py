"""Every group of ``params.yaml`` and the checks that span groups.

Only what needs the whole file imports this module; a stage imports its own group alone, so that a change in one group's
class does not rerun the others.
"""

from __future__ import annotations

from typing import Any

from stageformer.errors import StageformerError
from stageformer.params.base import parse_all
from stageformer.params.compute import Compute
from stageformer.params.embed import Embed
from stageformer.params.encode import Encode
from stageformer.params.evaluate import Evaluate
from stageformer.params.export import Export
from stageformer.params.ingest import Ingest
from stageformer.params.tokenize import Tokenize
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.params.translate import Translate
from stageformer.params.vocab import Vocab

GROUPS: dict[str, type] = {
    "ingest": Ingest,
    "tokenize": Tokenize,
    "vocab": Vocab,
    "embed": Embed,
    "train_encoder": TrainEncoder,
    "encode": Encode,
    "train_decoder": TrainDecoder,
    "translate": Translate,
    "evaluate": Evaluate,
    "export": Export,
    "compute": Compute,
}


def check(values: object) -> None:
    """Check a whole ``params.yaml``, given as a mapping. Raises StageformerError with one line on the first mistake."""
    params = parse_all(GROUPS, values)
    d_model = params["embed"].d_model
    for group in ("train_encoder", "train_decoder"):
        num_heads = params[group].num_heads
        if d_model % num_heads:
            raise StageformerError(
                f"params: {group}.num_heads is {num_heads}, which does not divide embed.d_model ({d_model})"
            )
    if params["vocab"].shared and not params["tokenize"].joint:
        raise StageformerError("params: vocab.shared needs tokenize.joint: one vocabulary over two tokenizers")
    if params["train_decoder"].target_embedding == "train_encoder" and params["train_encoder"].trained_by == "masked" \
            and not params["vocab"].shared:
        raise StageformerError(
            "params: train_decoder.target_embedding is 'train_encoder', but the objective 'masked' trains no target "
            "embedding when vocab.shared is false; use 'embed'"
        )
    if params["train_decoder"].finetune_encoder:
        _check_finetuning(params)


def _check_finetuning(params: dict[str, Any]) -> None:
    what = "params: train_decoder.finetune_encoder is true, but"
    if params["train_encoder"].way == "joint":
        raise StageformerError(f"{what} train_encoder.way 'joint' trains the encoder from the start; set it to false")
    if params["train_encoder"].objective == "none":
        raise StageformerError(
            f"{what} train_encoder.objective is 'none', which leaves nothing to train further; choose an objective, or "
            "train_encoder.way 'joint'"
        )
    for group, name in (("train_decoder", "memory_dropout"), ("encode", "dropout_copies")):
        value = getattr(params[group], name)
        if value:
            raise StageformerError(
                f"{what} {group}.{name} is {value!r}, and acts on saved encoder output, which then nothing "
                "learns from; set it to 0"
            )
