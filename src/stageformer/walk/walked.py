"""One model and one sentence, as the page takes them."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stageformer.building.pretrained import PretrainedEncoder
from stageformer.decoding.sampling import Sampling
from stageformer.errors import StageformerError
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.memory.writer import MemoryWriter
from stageformer.model.embedding import Embedding
from stageformer.text.conversion import source_ids
from stageformer.text.normalisation import normalise
from stageformer.text.vocabulary import Vocabulary
from stageformer.translator.translator import Translator
from stageformer.walk.search import Chosen, chosen, find
from stageformer.walk.steps import Shape
from stageformer.walk.trace import Floats, trace

MOST_TOKENS = 60
"""of a sentence or a translation; a page of more would be too large to read and to send"""
_NEAREST = 5


@dataclass(frozen=True)
class Walked:
    """Everything that a model computed from a sentence to its translation."""

    name: str
    source: str
    """as it was given"""
    normalised: str
    source_entries: list[dict[str, Any]]
    """of each source token: string, id, count, neighbours"""
    target_entries: list[dict[str, Any]]
    """of each token that the decoder reads, <bos> first"""
    chosen: list[Chosen]
    arrays: dict[str, Floats]
    memory_file: list[tuple[str, str]]
    """what a ``.pt`` of this memory holds: name, and what is there"""
    shape: Shape

    def as_json(self, *, with_projections: bool) -> dict[str, Any]:
        """Return everything as plain values, matrices as little-endian 32-bit floats in base64.

        Args:
            with_projections: include W^Q, W^K and W^V, which do not depend on the sentence
        """
        config = self.shape.config
        return {
            "name": self.name, "source": self.source, "normalised": self.normalised,
            "sourceEntries": self.source_entries, "targetEntries": self.target_entries,
            "chosen": [asdict(one) for one in self.chosen], "memoryFile": self.memory_file,
            "heads": {"encoder": config.encoder.num_heads, "decoder": config.decoder.num_heads},
            "vocabulary": config.target.vocabulary_size,
            "scale": config.source.d_model**0.5 if config.source.scale else 1.0,
            "arrays": {
                name: [list(array.shape), base64.b64encode(array.astype("<f4").tobytes()).decode()]
                for name, array in self.arrays.items()
                if with_projections or ".projection." not in name
            },
        }  # fmt: skip


def walk_model(
    translator: Translator, sentence: str, *, name: str, beam_size: int | None = None, sampling: Sampling | None = None
) -> Walked:
    """Translate a sentence and keep everything.

    Args:
        translator: the model and what is between it and text
        sentence: the source
        name: of the model, for the reader
        beam_size: instead of that of the parameters; 1: greedy search
        sampling: draw instead

    Raises:
        StageformerError: the sentence is empty, or it or its translation is too long.
    """
    model, vocabularies = translator.model, translator.vocabularies
    if isinstance(model.encoder, PretrainedEncoder) or model.encoder.kept is not None:
        raise StageformerError(
            f"{name}: the memory is not that of the last layer of an encoder of ours, which is what a walk goes "
            "through; `stageformer explain` draws the attention of the decoder"
        )
    source = normalise(sentence)
    if not source:
        raise StageformerError("the sentence is empty; give one with at least one word")
    ids = source_ids([source], translator.tokenizers.source, vocabularies.source)[0]
    _check_length("the sentence", ids)
    ours, beams = find(translator, source, ids, beam_size=beam_size, sampling=sampling)
    _check_length("the translation", ours)
    read = [vocabularies.target.bos_id, *ours[:-1]]
    arrays = trace(model, ids, read)
    hidden = torch.from_numpy(arrays["decoder.output"])
    return Walked(
        name, sentence, source,
        _entries(ids, vocabularies.source, model.encoder.embedding),
        _entries(read, vocabularies.target, model.decoder.embedding),
        chosen(translator, hidden, ours, beams, sampling), arrays,
        _memory_file(translator, arrays["encoder.output"]), Shape(model.config, len(ours)),
    )  # fmt: skip


def _check_length(what: str, ids: Sequence[int]) -> None:
    if len(ids) > MOST_TOKENS:
        raise StageformerError(
            f"{what} has {len(ids)} tokens with <eos>, a walk shows at most {MOST_TOKENS}; take a shorter one"
        )


@torch.no_grad()
def _entries(ids: Sequence[int], vocabulary: Vocabulary, embedding: Embedding) -> list[dict[str, Any]]:
    """Describe tokens: their counts, those before and after them in the vocabulary, and those of the nearest rows."""
    weight = embedding.weight  # [V, D]
    lengths = weight.norm(dim=-1).clamp(min=1e-12)  # [V]
    rows = torch.tensor(list(ids))
    near = weight[rows] @ weight.T / lengths[rows, None] / lengths  # [T, V]: cosine
    found = []
    for place, index in enumerate(ids):
        # The token itself comes first.
        values, nearest = near[place].topk(min(_NEAREST + 1, len(vocabulary)))
        pairs = zip(nearest.tolist(), values.tolist(), strict=True)
        around = [one for one in (index - 1, index + 1) if 0 <= one < len(vocabulary)]
        found.append({
            "token": vocabulary.tokens[index], "id": index, "count": vocabulary.counts[index],
            "around": [[one, vocabulary.tokens[one]] for one in around],
            "nearest": [[vocabulary.tokens[one], value] for one, value in pairs if one != index][:_NEAREST],
        })  # fmt: skip
    return found


def _memory_file(translator: Translator, memory: Floats) -> list[tuple[str, str]]:
    """Write the memory as the stage ``encode`` does, open the file with torch alone, and describe what is in it."""
    fingerprint = EncoderSource(translator.model.encoder, translator.vocabularies.source.pad_id).fingerprint
    with tempfile.TemporaryDirectory() as folder:
        writer = MemoryWriter(
            Path(folder), np.array([0]), np.array([len(memory)]), width=memory.shape[1], dtype="float32",
            fingerprint=fingerprint, shard_tokens=len(memory),
        )  # fmt: skip
        for shard in writer.shards():
            present = torch.ones(1, len(memory), dtype=torch.bool)
            shard.put(np.array([0]), torch.from_numpy(memory)[None], present)
        (path,) = Path(folder).glob("*.pt")
        content = torch.load(path, weights_only=True)
    return [(name, _described(value)) for name, value in _flat(content)]


def _flat(content: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in content.items():
        found += _flat(value, f"{before}{name}.") if isinstance(value, dict) else [(before + name, value)]
    return found


def _described(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        shape = f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        return f"{shape}: {value.tolist()}" if value.numel() <= 2 else shape
    return str(value)
