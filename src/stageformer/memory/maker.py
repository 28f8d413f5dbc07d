"""The encoder of others that the stage ``train_encoder`` keeps in the place of our own."""

from __future__ import annotations

from stageformer.building.pretrained import PretrainedEncoder
from stageformer.params.choices import chosen
from stageformer.params.train_encoder import TrainEncoder
from stageformer.text.vocabulary import Vocabulary


def encoder_of_others(params: TrainEncoder, vocabulary: Vocabulary, max_length: int) -> PretrainedEncoder | None:
    """Read the encoder of the objective ``pretrained``; with another one, or way joint, there is none.

    Args:
        params: of the stage
        vocabulary: of the sources
        max_length: of a sentence in tokens, <eos> included

    Raises:
        StageformerError: it cannot be read, or does not fit the sources.
    """
    if params.trained_by != "pretrained":
        return None
    found: PretrainedEncoder = chosen("stageformer.memory.sources", params.objective).read_encoder(
        params.pretrained, vocabulary, max_length
    )
    return found
