"""The encoder of others that the stage ``train_encoder`` keeps in the place of our own, and the maker of an encoder."""

from __future__ import annotations

from collections.abc import Sequence

from stageformer.building.others import EncoderOfOthers
from stageformer.building.service import ServiceEncoder
from stageformer.memory.asker import Asker
from stageformer.memory.sources.base import MemorySource
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.transformer import Encoder
from stageformer.params.choices import chosen
from stageformer.params.train_encoder import TrainEncoder


def encoder_of_others(
    params: TrainEncoder, asker: Asker, sentence: Sequence[int], max_length: int
) -> EncoderOfOthers | None:
    """Read the encoder of the objective ``pretrained`` or ``service``; with another one, or way joint, there is none.

    Args:
        params: of the stage
        asker: of the objective ``service``; its vocabulary is that of the sources
        sentence: a source, ``<eos>`` at the end, that a service is asked for
        max_length: of a sentence in tokens, <eos> included

    Raises:
        StageformerError: it cannot be read, or does not fit the sources.
    """
    found: EncoderOfOthers
    if params.trained_by == "pretrained":
        found = chosen("stageformer.memory.sources", params.objective).read_encoder(
            params.pretrained, asker.vocabulary, max_length
        )
        return found
    if params.trained_by == "service":
        found = chosen("stageformer.memory.sources", params.objective).read_encoder(asker, sentence, max_length)
        return found
    return None


def maker_of(encoder: Encoder, pad_id: int, asker: Asker | None = None) -> MemorySource:
    """Return what makes memory by an encoder that is in memory, such as that of a model.

    Args:
        encoder: on the device to compute on, in eval mode
        pad_id: the id that fills a batch of sources up
        asker: where the encoder is a service; None: nobody can be asked
    """
    if not isinstance(encoder, ServiceEncoder):
        return EncoderSource(encoder, pad_id)
    source: MemorySource = chosen("stageformer.memory.sources", "service").ServiceSource(encoder, asker)
    return source
