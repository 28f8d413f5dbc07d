"""A tokenizer and its vocabulary as one tokenizer that ``transformers`` loads with ``AutoTokenizer``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, models, processors

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.export.tokenizer_pipelines import decoder, normalizer, pre_tokenizer
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.tokenizers.hugging_face import FILE_NAME, HuggingFaceTokenizer
from stageformer.text.vocabulary import BOS, EOS, PAD, SPECIAL_TOKENS, UNK, Vocabulary


@dataclass(frozen=True)
class TransformersTokenizer:
    """What :func:`transformers_tokenizer` makes."""

    backend: tokenizers.Tokenizer
    entries: int
    """Ids below the size of the vocabulary are ours. Those from there on are pieces that the model of the tokenizer
    needs but the vocabulary lacks; for the Transformer, they are all <unk>."""

    def save(self, folder: Path, max_length: int | None) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``; ``max_length`` is in tokens, None: no limit."""
        with atomic_file(folder / "tokenizer.json") as file:
            file.write(self.backend.to_str(pretty=True).encode() + b"\n")
        config: dict[str, Any] = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_input_names": ["input_ids", "attention_mask"],
            "padding_side": "right",
            "clean_up_tokenization_spaces": False,
            # A text that spells <eos> does not end there.
            "split_special_tokens": True,
            "bos_token": BOS,
            "eos_token": EOS,
            "pad_token": PAD,
            "unk_token": UNK,
        }
        if max_length is not None:
            config["model_max_length"] = max_length
        write_json(folder / "tokenizer_config.json", config)


def transformers_tokenizer(tokenizer: Tokenizer, learnt: Path, vocabulary: Vocabulary) -> TransformersTokenizer:
    """Return a tokenizer that gives our ids with <eos>, and our text for ids.

    It cleans the text as ``ingest`` does.

    Args:
        tokenizer: that of one side
        learnt: the folder into which it was saved; of a family that learns nothing, nothing is read
        vocabulary: that of the same side
    """
    trained = isinstance(tokenizer, HuggingFaceTokenizer)
    original = tokenizers.Tokenizer.from_file(str(learnt / FILE_NAME)) if trained else None
    model = json.loads(original.to_str())["model"] if original else {}
    unknown = tokenizer.unknown if isinstance(tokenizer, HuggingFaceTokenizer) else None
    pieces = [piece for piece in _pieces(model) if piece != unknown]
    known = set(vocabulary.tokens)
    entries = [*vocabulary.tokens, *(piece for piece in pieces if piece not in known)]
    backend = tokenizers.Tokenizer(_model(tokenizer.kind, model, entries))
    backend.normalizer = normalizer(tokenizer.kind, tokenizer.lowercase)
    characters = {character for piece in pieces for character in piece}
    backend.pre_tokenizer = pre_tokenizer(tokenizer.kind, original.pre_tokenizer if original else None, characters)
    backend.decoder = decoder(tokenizer.kind)
    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, vocabulary.eos_id)]
    )
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return TransformersTokenizer(backend, len(entries))


def _pieces(model: dict[str, Any]) -> Iterable[str]:
    """Return the pieces of a trained model in the order in which it holds them."""
    if model.get("type") == "Unigram":
        return [piece for piece, _ in model["vocab"]]
    return sorted(model.get("vocab", {}), key=model.get("vocab", {}).get)


def _model(kind: str, model: dict[str, Any], entries: list[str]) -> models.Model:
    """Return the trained model with the ids of ``entries``."""
    ids = {entry: index for index, entry in enumerate(entries)}
    if kind == "unigram":
        scores = dict(model["vocab"])
        # Special tokens are found in no text: no stretch of letters or of other signs can spell them.
        return models.Unigram([(entry, scores.get(entry, 0.0)) for entry in entries], ids[UNK], False)
    if kind == "wordpiece":
        longest = model["max_input_chars_per_word"]
        return models.WordPiece(vocab=ids, unk_token=UNK, max_input_chars_per_word=longest)
    if kind in ("bpe", "byte_bpe"):
        merges = [(left, right) for left, right in model["merges"]]
        return models.BPE(vocab=ids, merges=merges, unk_token=UNK if kind == "bpe" else None)
    return models.WordLevel(vocab=ids, unk_token=UNK)
