"""From a sentence to the pictures of attention at work on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stageformer.building.pretrained import PretrainedEncoder
from stageformer.building.service import ServiceEncoder
from stageformer.console.output import warn
from stageformer.errors import StageformerError
from stageformer.figures.operation import KINDS, Kind, Operation, attention_operations
from stageformer.figures.operation_picture import operation_picture
from stageformer.figures.style import Format, render, style
from stageformer.model.embedding import Embedding
from stageformer.model.transformer import Transformer
from stageformer.text.conversion import source_ids
from stageformer.text.normalisation import normalise
from stageformer.translator.translator import Translator

_MOST_TOKENS = 60
"""on either side; a picture of more cannot be read"""
_DPI = 150


@dataclass(frozen=True)
class Explanation:
    """One attention operation on a sentence."""

    source: str
    translation: str
    operation: Operation

    def picture(self, format_: Format) -> bytes:
        """Return the picture as the bytes of a file: the same for the same model, sentence and fonts."""
        caption = [f"Source: {self.source}", f"Translation: {self.translation}"]
        with style([*caption, *self.operation.query_tokens, *self.operation.key_tokens]):
            return render(operation_picture(self.operation, caption), format_, _DPI)


def explain(
    translator: Translator,
    sentence: str,
    *,
    layer: int,
    head: int,
    kinds: Sequence[Kind] = KINDS,
    translation: str | None = None,
) -> list[Explanation]:
    """Trace the attention of one head while the model translates a sentence.

    Args:
        translator: the model and what is between it and text
        sentence: the source
        layer: number of the layer, from 1; of the encoder for ``encoder``, of the decoder for the other kinds
        head: number of the head, from 1
        kinds: one explanation for each
        translation: what the decoder reads; None: the model's own translation, as `stageformer translate` prints it

    Raises:
        StageformerError: there is no such layer or head, or the sentence is empty or too long.
    """
    model, vocabularies = translator.model, translator.vocabularies
    if isinstance(model.encoder, ServiceEncoder):
        raise StageformerError(
            "the memory of this model is one vector a sentence, of a service: there is no attention over it to draw"
        )
    if "encoder" in kinds and isinstance(model.encoder, PretrainedEncoder):
        kinds = [kind for kind in kinds if kind != "encoder"]
        if not kinds:
            raise StageformerError("the encoder is pretrained, and its attention is not drawn; choose decoder or cross")
        warn("the encoder is pretrained, and its attention is not drawn")
    for kind in kinds:
        _check_place(model, kind, layer, head)
    source = normalise(sentence)
    if not source:
        raise StageformerError("the sentence is empty; give one with at least one word")
    ids = source_ids([source], translator.tokenizers.source, vocabularies.source)[0]
    _check_length("the sentence", len(ids), model.encoder.embedding)
    if translation is None:
        translation, _, target = translator.nbest([source], origin="the sentence", show_progress=False)[0][0]
    else:
        translation = normalise(translation)
        target = vocabularies.target.to_ids(translator.tokenizers.target.encode_batch([translation])[0])
    read = [vocabularies.target.bos_id, *target]
    _check_length("the translation", len(read), model.decoder.embedding)
    operations = attention_operations(
        model, ids, read, vocabularies.source.to_tokens(ids), vocabularies.target.to_tokens(read),
        kinds=kinds, layer=layer, head=head,
    )  # fmt: skip
    return [Explanation(source, translation, operation) for operation in operations]


def _check_place(model: Transformer, kind: Kind, layer: int, head: int) -> None:
    side = "encoder" if kind == "encoder" else "decoder"
    config = model.config.encoder if kind == "encoder" else model.config.decoder
    for name, number, most in (("layer", layer, config.num_layers), ("head", head, config.num_heads)):
        if not 1 <= number <= most:
            raise StageformerError(
                f"{name} {number}: the {side} has {name}s 1 to {most}; choose one of them, or another kind of attention"
            )


def _check_length(what: str, length: int, embedding: Embedding) -> None:
    limit = _MOST_TOKENS if embedding.config.positions == "none" else min(_MOST_TOKENS, embedding.config.max_length)
    if length > limit:
        raise StageformerError(f"{what} has {length} tokens, a picture holds at most {limit}; take a shorter one")
