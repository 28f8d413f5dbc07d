"""One model and one sentence, as the page takes them."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stageformer.building.others import EncoderOfOthers
from stageformer.building.service import ServiceEncoder
from stageformer.decoding.sampling import Sampling
from stageformer.errors import StageformerError
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.memory.writer import MemoryWriter
from stageformer.model.embedding import Embedding
from stageformer.text.conversion import source_ids
from stageformer.text.normalisation import normalise
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from stageformer.translator.translator import Translator
from stageformer.walk.search import Chosen, chosen, find
from stageformer.walk.steps import Shape
from stageformer.walk.trace import Floats, trace, weights

MOST_TOKENS = 60
"""of a sentence or a translation; a page of more would be too large to read and to send"""
_NEAREST = 5
KINDS_OF_WEIGHTS = {
    "attention": (".projection.query", ".projection.key", ".projection.value"),
    "mixing": (".out_projection",),
    "feed_forward": (".inner", ".outer"),
}
"""What the names of the matrices end with: W^Q, W^K and W^V; W^O; W_1 and W_2."""
STEPS_OF_WEIGHTS = 10_000
"""of a weight between 0 and 1: it is written and shown with four digits after the point"""


@dataclass(frozen=True)
class Walked:
    """Everything that a model computed from a sentence to its translation."""

    name: str
    source: str
    """as it was given"""
    normalised: str
    source_entries: list[dict[str, Any]]
    """of each source token: string, how the text spells it, id, count, neighbours"""
    target_entries: list[dict[str, Any]]
    """of each token that the decoder reads, <bos> first"""
    chosen: list[Chosen]
    arrays: dict[str, Floats]
    weights: dict[str, Floats]
    """the learned matrices, which do not depend on the sentence"""
    memory_file: list[tuple[str, str]]
    """what a ``.pt`` of this memory holds: name, and what is there"""
    shape: Shape
    search: str
    """``greedy``, ``beam`` or ``sampling``"""
    is_by_count: bool
    """whether ids of the source fall by count, as in a vocabulary that was made here"""

    def as_json(self, kinds: Collection[str]) -> dict[str, Any]:
        """Return everything as plain values, matrices as little-endian numbers in base64.

        What the model computes are 32-bit floats; a matrix that is another one again is the name of that one. Weights
        are 16-bit numbers of ten-thousandths, or 32-bit floats where one is too large for that.

        Args:
            kinds: keys of :data:`KINDS_OF_WEIGHTS`: weights that are included
        """
        config = self.shape.config
        endings = tuple(ending for kind in kinds for ending in KINDS_OF_WEIGHTS[kind])
        learned = {name: weight for name, weight in self.weights.items() if name.endswith(endings)}
        return {
            "name": self.name, "source": self.source, "normalised": self.normalised,
            "sourceEntries": self.source_entries, "targetEntries": self.target_entries,
            "chosen": [asdict(one) for one in self.chosen], "memoryFile": self.memory_file,
            "heads": {"encoder": config.encoder.num_heads, "decoder": config.decoder.num_heads},
            "vocabulary": config.target.vocabulary_size,
            "scale": config.source.d_model**0.5 if config.source.scale else 1.0,
            "arrays": _computed(self.arrays) | {name: _learned(weight) for name, weight in learned.items()},
        }  # fmt: skip


def _computed(arrays: dict[str, Floats]) -> dict[str, list[Any] | str]:
    first: dict[tuple[tuple[int, ...], bytes], str] = {}
    found: dict[str, list[Any] | str] = {}
    for name, array in arrays.items():
        content = array.astype("<f4").tobytes()
        same = first.setdefault((array.shape, content), name)
        found[name] = [list(array.shape), base64.b64encode(content).decode()] if same == name else same
    return found


def _learned(weight: Floats) -> list[Any]:
    numbers = np.rint(weight.astype(np.float64) * STEPS_OF_WEIGHTS)
    if not np.abs(numbers).max() < 2**15:  # or NaN
        return [list(weight.shape), base64.b64encode(weight.astype("<f4").tobytes()).decode()]
    return [list(weight.shape), base64.b64encode(numbers.astype("<i2").tobytes()).decode(), STEPS_OF_WEIGHTS]


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
    if isinstance(model.encoder, EncoderOfOthers) or model.encoder.kept is not None:
        hint = "; `stageformer explain` draws the attention of the decoder"
        raise StageformerError(
            f"{name}: the memory is not that of the last layer of an encoder of ours, which is what a walk goes "
            f"through{'' if isinstance(model.encoder, ServiceEncoder) else hint}"
        )
    source = normalise(sentence)
    if not source:
        raise StageformerError("the sentence is empty; give one with at least one word")
    ids = source_ids([source], translator.tokenizers.source, vocabularies.source)[0]
    (spelled,) = translator.tokenizers.source.encode_batch([source])
    _check_length("the sentence", ids)
    ours, beams = find(translator, source, ids, beam_size=beam_size, sampling=sampling)
    _check_length("the translation", ours)
    read = [vocabularies.target.bos_id, *ours[:-1]]
    arrays = trace(model, ids, read)
    hidden = torch.from_numpy(arrays["decoder.output"])
    return Walked(
        name, sentence, source,
        _entries(ids, vocabularies.source, model.encoder.embedding, spelled),
        _entries(read, vocabularies.target, model.decoder.embedding),
        chosen(translator, hidden, ours, beams, sampling), arrays, weights(model),
        _memory_file(translator, arrays["encoder.output"]), Shape(model.config, len(ours)),
        search_name(translator, beam_size, sampling), _is_by_count(vocabularies.source),
    )  # fmt: skip


def search_name(translator: Translator, beam_size: int | None, sampling: Sampling | None) -> str:
    """Return ``greedy``, ``beam`` or ``sampling``: what these options of :func:`walk_model` make of the translator."""
    if sampling is not None:
        return "sampling"
    return "greedy" if (beam_size or translator.params.beam_size) == 1 else "beam"


def _is_by_count(vocabulary: Vocabulary) -> bool:
    counts = vocabulary.counts[len(SPECIAL_TOKENS) :]
    return vocabulary.pad_id == 0 and counts == sorted(counts, reverse=True)


def _check_length(what: str, ids: Sequence[int]) -> None:
    if len(ids) > MOST_TOKENS:
        raise StageformerError(
            f"{what} has {len(ids)} tokens with <eos>, a walk shows at most {MOST_TOKENS}; take a shorter one"
        )


@torch.no_grad()
def _entries(
    ids: Sequence[int], vocabulary: Vocabulary, embedding: Embedding, spelled: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Describe tokens: their counts, those before and after them in the vocabulary, and those of the nearest rows.

    ``spelled`` are the tokens as the tokenizer cut them, where some may have become <unk>.
    """
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
            "spelled": spelled[place] if place < len(spelled) else vocabulary.tokens[index],
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
