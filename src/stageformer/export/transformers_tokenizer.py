"""A tokenizer and its vocabulary as one tokenizer that ``transformers`` loads with ``AutoTokenizer``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, processors

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.export.expressible import check_transformers_tokenizer
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import BOS, EOS, PAD, SPECIAL_TOKENS, UNK, Vocabulary

_CLEANING = [
    {"type": "NFC"},
    # The last four are white space only to Python.
    {"type": "Replace", "pattern": {"Regex": r"[\s\x1c-\x1f]+"}, "content": " "},
    {"type": "Strip", "strip_left": True, "strip_right": True},
]
"""What the stage ``ingest`` does to every text (:mod:`stageformer.text.normalisation`), as the library describes it."""


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


def transformers_tokenizer(tokenizer: Tokenizer, vocabulary: Vocabulary) -> TransformersTokenizer:
    """Return a tokenizer that gives our ids with <eos>, and our text for ids.

    It cleans the text as ``ingest`` does.

    Args:
        tokenizer: that of one side
        vocabulary: that of the same side

    Raises:
        StageformerError: the library cannot express this family of tokenizers.
    """
    check_transformers_tokenizer(type(tokenizer))
    alone = tokenizer.to_hugging_face()
    assert alone is not None
    description = json.loads(alone.to_str())
    known = set(vocabulary.tokens)
    entries = [*vocabulary.tokens, *(piece for piece in _pieces(description["model"]) if piece not in known)]
    description["model"] = _with_ids(description["model"], entries)
    own = description["normalizer"]
    steps = own["normalizers"] if own["type"] == "Sequence" else [own]
    description["normalizer"] = {"type": "Sequence", "normalizers": [*_CLEANING, *steps]}
    backend = tokenizers.Tokenizer.from_str(json.dumps(description))
    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, vocabulary.eos_id)]
    )
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return TransformersTokenizer(backend, len(entries))


def _pieces(model: dict[str, Any]) -> list[str]:
    """Return the pieces of a trained model in the order in which it holds them, without its unknown piece."""
    if model["type"] == "Unigram":
        return [piece for index, (piece, _) in enumerate(model["vocab"]) if index != model["unk_id"]]
    return [piece for piece in sorted(model["vocab"], key=model["vocab"].get) if piece != model["unk_token"]]


def _with_ids(model: dict[str, Any], entries: list[str]) -> dict[str, Any]:
    """Return the description of the model with the ids of ``entries``, <unk> as the unknown one."""
    ids = {entry: index for index, entry in enumerate(entries)}
    if model["type"] == "Unigram":
        scores = dict(model["vocab"])
        # Special tokens are found in no text: no stretch of letters or of other signs can spell them.
        return model | {"vocab": [[entry, scores.get(entry, 0.0)] for entry in entries], "unk_id": ids[UNK]}
    return model | {"vocab": ids, "unk_token": UNK if model["unk_token"] is not None else None}
