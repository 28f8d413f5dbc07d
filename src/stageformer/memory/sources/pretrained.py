"""An encoder that others trained as a maker of memory: a folder of the library Transformers, read once.

Any model of ``AutoModel`` that has an encoder: BERT, MiniLM, XLM-R, the encoder of T5. The stage ``train_encoder``
reads the folder and keeps what later stages need; code in the folder is never run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from stageformer.artifacts.files import first_line
from stageformer.building.library_config import positions, read_config, sizes
from stageformer.building.pretrained import Pretrained, PretrainedEncoder, encoder_of
from stageformer.errors import StageformerError, require
from stageformer.memory.sources import encoder
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.params.train_encoder import Folder
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabulary

NEEDS = ("transformers",)


def open_source(
    path: Path, pad_id: int, device: torch.device, layers: str | list[int] = "last", asker: object = None
) -> EncoderSource:
    """Open what the stage train_encoder kept: as that of our own encoder does, which it is behind the interface of."""
    return encoder.open_source(path, pad_id, device, layers)


def read_encoder(params: Folder, vocabulary: Vocabulary, max_length: int) -> PretrainedEncoder:
    """Read the folder of an encoder.

    Args:
        params: where it is
        vocabulary: of the sources, which must have the ids of the model's own tokenizer
        max_length: of a sentence in tokens, <eos> included

    Raises:
        StageformerError: there is no model that can be read without running code of the folder, the vocabulary is not
            that of its tokenizer, or it takes no sentences of this length.
    """
    require("transformers")
    import transformers

    folder = Path(str(params.path))
    read_config(folder)
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        options = {"local_files_only": True, "trust_remote_code": False}
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
        network = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, **options)
        network = encoder_of(network)
    except Exception as error:  # the library raises of many kinds
        raise StageformerError(f"{folder}: holds no model that can be read ({first_line(error)})") from None
    finally:
        transformers.logging.set_verbosity(before)
        transformers.logging.enable_progress_bar()
    if set(network.state_dict()) - set(dict(network.named_parameters(remove_duplicate=False))):
        raise StageformerError(f"{folder}: the model has buffers, which are not kept; choose another")
    _check_vocabulary(folder, tokenizer, vocabulary)
    prefix = _prefix(folder, tokenizer, vocabulary)
    config = {name: value for name, value in network.config.to_dict().items() if not name.startswith("_")}
    config.pop("transformers_version", None)  # no part of the model
    said = tokenizer.model_max_length  # a huge number where nothing is known
    known = [limit for limit in (positions(config), said if said < 10**9 else None) if limit is not None]
    limit = min(known, default=None)
    if limit is not None and max_length > limit - len(prefix):
        raise StageformerError(
            f"{folder}: the model takes {limit - len(prefix)} tokens with <eos>, but embed.max_length is {max_length}; "
            "lower it"
        )
    weights = dict(network.named_parameters())
    matrix = network.get_input_embeddings().weight
    width = int(matrix.size(1)) if (hidden := getattr(network.config, "hidden_size", None)) is None else int(hidden)
    return PretrainedEncoder(
        Pretrained(
            config=json.dumps(config, sort_keys=True),
            embedding=next(name for name, weight in weights.items() if weight is matrix),
            prefix=prefix,
            revision=params.revision,
        ),
        EmbeddingConfig(len(vocabulary), width, scale=False, positions="learned", max_length=max_length),
        StackConfig(width, *sizes(folder, config)),
        {name: weight.detach() for name, weight in weights.items()},
    )


def _check_vocabulary(folder: Path, tokenizer: Any, vocabulary: Vocabulary) -> None:
    """Raise StageformerError unless both have the same token for each id; those that serve as ours may be missing."""
    theirs = {index: token for token, index in tokenizer.get_vocab().items()}
    remedy = f"set tokenize.source.kind to 'pretrained' and tokenize.source.path to {str(folder)!r}"
    for index, ours in enumerate(vocabulary.tokens):
        if ours not in SPECIAL_TOKENS and index in theirs and theirs[index] != ours:
            raise StageformerError(
                f"{folder}: its tokenizer has {theirs[index]!r} as id {index}, but the source vocabulary {ours!r}; "
                f"{remedy}"
            )
    if missing := [token for index, token in theirs.items() if index >= len(vocabulary)]:
        raise StageformerError(
            f"{folder}: its tokenizer has {len(theirs):,} ids, {missing[0]!r} among them, but the source vocabulary "
            f"{len(vocabulary):,}; {remedy}"
        )


def _prefix(folder: Path, tokenizer: Any, vocabulary: Vocabulary) -> list[int]:
    """Return the ids that the tokenizer puts before a sentence, after a check that <eos> is what it puts behind it."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    framed = tokenizer("a")["input_ids"]
    starts = [start for start in range(len(framed)) if framed[start : start + len(bare)] == bare]
    if not bare or not starts or framed[starts[0] + len(bare) :] != [vocabulary.eos_id]:
        raise StageformerError(
            f"{folder}: its tokenizer makes the ids {framed} of {bare}; needed {vocabulary.eos_id} (<eos>) "
            "behind them; choose another model"
        )
    return [int(index) for index in framed[: starts[0]]]
