"""Every group of ``params.yaml`` and the checks that span groups.

Only what needs the whole file imports this module; a stage imports its own group alone, so that a change in one group's
class does not rerun the others.
"""

from __future__ import annotations

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
    if params["train_decoder"].target_embedding == "train_encoder" and params["train_encoder"].objective == "masked" \
            and not params["vocab"].shared:
        raise StageformerError(
            "params: train_decoder.target_embedding is 'train_encoder', but the objective 'masked' trains no target "
            "embedding when vocab.shared is false; use 'embed'"
        )
