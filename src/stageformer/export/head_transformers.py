"""A head that labels words, and the encoder of others that it reads, as ``AutoModelForTokenClassification``.

The library's classes of sentences read the state of the token before the sentence (``[CLS]``) alone, which no memory
holds, so that they cannot express a head that pools. Its classes of tokens are a linear map of each hidden state: that
is a linear head on the first token of each word.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import processors
from torch import Tensor

from stageformer.artifacts.files import atomic_file, atomic_folder, first_line, write_json
from stageformer.artifacts.tables import read_table
from stageformer.building.model_files import load_model
from stageformer.building.pretrained import PretrainedEncoder, encoder_of
from stageformer.errors import StageformerError, require
from stageformer.heads.files import SavedHead, load_head
from stageformer.heads.head_folder import open_head_folder
from stageformer.text.pair import load_tokenizers
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import BOS, EOS, PAD, UNK, Vocabulary, load_vocabularies

TOLERANCE = 1e-4
"""The largest difference of a logit between the head and what is written."""
_DEPTHS = ("num_hidden_layers", "n_layers", "num_layers")
"""What configurations of the library call the number of layers."""
_INSTEAD = "`stageformer predict --export` without --format takes it to any machine"
_TESTED = 20
"""sentences of train on which the copy is compared with the head"""


def export_huggingface(root: Path, folder: Path) -> list[str]:
    """Write head, encoder and tokenizer of a repository as a folder of the library Transformers.

    Args:
        root: of a repository in which ``heads/dvc.yaml`` has run
        folder: a new one

    Returns:
        The names of the files.

    Raises:
        StageformerError: the library has no class that computes what the head does, the message says why; the folder is
            not empty, or a part is missing or damaged.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise StageformerError(f"{folder}: exists already; nothing is overwritten: remove it, or name another folder")
    found = open_head_folder(root)
    head = load_head(found.head)
    parts = load_tokenizers(found.tokenizers)
    vocabularies = load_vocabularies(found.vocabularies, parts.parts)
    encoder = load_model(found.encoder, "encoder", vocabularies)[0].encoder
    if not isinstance(encoder, PretrainedEncoder):
        raise StageformerError(
            f"{found.encoder}: Transformers has no class of encoders as ours, only of those that it made itself "
            f"(train_encoder.objective: pretrained); {_INSTEAD}"
        )
    texts: list[Any] = read_table(root / "data/ingest/train.parquet", "sentences", ["source"])["source"].to_pylist()
    with atomic_folder(folder, ()) as new:
        save_for_tokens(new, head, encoder, parts.source, vocabularies.source, texts[:_TESTED])
        return sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file())


def save_for_tokens(
    folder: Path, head: SavedHead, encoder: PretrainedEncoder, tokenizer: Tokenizer, vocabulary: Vocabulary,
    texts: Sequence[str],
) -> None:
    """Write a folder for ``AutoModelForTokenClassification`` and ``AutoTokenizer``.

    Args:
        folder: created if need be
        head: for words
        encoder: that the head reads
        tokenizer: of the sources
        vocabulary: of the sources
        texts: on which the copy is compared with the head

    Raises:
        StageformerError: the library has no class that computes what the head does; the message says why.
    """
    layer = read_layer(head, encoder.stack.num_layers)
    require("transformers")
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = token_classifier(head, encoder, layer)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    _save_tokenizer(tokenizer, vocabulary, encoder, folder)
    _check(head, encoder, layer, folder, tokenizer, vocabulary, texts)


def read_layer(head: SavedHead, num_layers: int) -> int:
    """Return the layer that a head reads. Raises StageformerError where no class of the library computes the same.

    Args:
        head: of any kind
        num_layers: of the encoder
    """
    config = head.model.config
    refused = "the head cannot be written for Transformers"
    if head.kind != "tags":
        raise StageformerError(
            f"{refused}: it pools the vectors of a sentence (head.pooling), and AutoModelForSequenceClassification "
            f"reads the state of the token before it alone, which no memory holds; {_INSTEAD}"
        )
    if config.hidden_size:
        raise StageformerError(
            f"{refused}: AutoModelForTokenClassification is linear, and it has a hidden layer; set head.hidden_size to "
            f"null, or {_INSTEAD}"
        )
    if config.words != "first":
        raise StageformerError(
            f"{refused}: AutoModelForTokenClassification labels each token by itself, and it reads the mean of those "
            f"of a word; set head.words to first, or {_INSTEAD}"
        )
    kept = head.layers or [num_layers]
    if config.layer < 0 and len(kept) > 1:
        raise StageformerError(
            f"{refused}: AutoModelForTokenClassification reads one layer, and it reads {', '.join(map(str, kept))}; "
            f"set head.layer to one of these, or {_INSTEAD}"
        )
    return kept[max(config.layer, 0)]


def token_classifier(head: SavedHead, encoder: PretrainedEncoder, layer: int) -> Any:
    """Return the library's model: the encoder up to a layer, and the head as its classifier, in eval mode.

    Raises:
        StageformerError: the library has none for this encoder.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    values = json.loads(encoder.description.config)
    kind = values.pop("model_type", None)
    depth = next((name for name in _DEPTHS if name in values), None)
    if depth is not None:
        values[depth] = layer
    labels = dict(enumerate(head.labels))
    values |= {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    values.pop("architectures", None)
    try:
        with torch.random.fork_rng(devices=[]):
            model = AutoModelForTokenClassification.from_config(AutoConfig.for_model(kind, **values)).float().eval()
        _copy_encoder(encoder, model.base_model)
        weight, bias = _classifier(head)
        with torch.no_grad():
            model.classifier.weight.copy_(weight)
            model.classifier.bias.copy_(bias)
    except Exception as error:  # the library raises of many kinds
        raise StageformerError(
            f"Transformers has no AutoModelForTokenClassification for this encoder ({kind}: {first_line(error)}); "
            f"{_INSTEAD}"
        ) from None
    return model


def _copy_encoder(encoder: PretrainedEncoder, base: Any) -> None:
    """Copy the weights. Raises ValueError where no part of ``base`` has weights of these names."""
    ours = dict(encoder.weights.named_parameters())
    # Of T5, the class of tokens has the encoder as a part, although it has nothing else.
    for part in (encoder_of(base), getattr(base, "encoder", None)):
        theirs = dict(part.named_parameters()) if part is not None else {}
        if theirs and theirs.keys() <= ours.keys():
            for name, weight in theirs.items():
                weight.data.copy_(ours[name].data)
            return
    raise ValueError("its weights have other names")


def _classifier(head: SavedHead) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the linear layer on hidden states as they are: standardising is part of it."""
    output, mean, scale = head.model.output, head.model.mean.double(), head.model.scale.double()
    weight = output.weight.detach().double() / scale
    return weight.float(), (output.bias.detach().double() - weight @ mean).float()


def _save_tokenizer(tokenizer: Tokenizer, vocabulary: Vocabulary, encoder: PretrainedEncoder, folder: Path) -> None:
    tokenizer.save(folder)
    path = folder / "tokenizer.json"
    if tokenizer.kind != "pretrained" or not path.is_file() or (tokenizer.form.apply("É ﬁ") != "É ﬁ"):
        raise StageformerError(
            "the head cannot be written for Transformers: its tokenizer is not that of the library tokenizers with "
            f"tokenize.source.case keep and normalisation none; {_INSTEAD}"
        )
    roles = json.loads((folder / "special_tokens.json").read_text(encoding="utf-8"))
    (folder / "special_tokens.json").unlink()
    backend = tokenizers.Tokenizer.from_file(str(path))
    ids = {index: token for token, index in backend.get_vocab().items()}
    before = [ids[index] for index in encoder.description.prefix]
    backend.post_processor = processors.TemplateProcessing(
        single=[*before, "$A", roles[EOS]],
        special_tokens=[*zip(before, encoder.description.prefix, strict=True), (roles[EOS], vocabulary.eos_id)],
    )
    with atomic_file(path) as file:
        file.write(backend.to_str(pretty=True).encode() + b"\n")
    names = {"pad_token": PAD, "unk_token": UNK, "sep_token": EOS, "cls_token": BOS}
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": encoder.embedding.config.max_length + len(before),
        "clean_up_tokenization_spaces": False,
        **{name: roles[ours] for name, ours in names.items() if roles[ours] is not None},
    })  # fmt: skip


@torch.no_grad()
def _check(
    head: SavedHead, encoder: PretrainedEncoder, layer: int, folder: Path, tokenizer: Tokenizer, vocabulary: Vocabulary,
    texts: Sequence[str],
) -> None:
    """Raise StageformerError unless the folder gives each token of some texts the logits of the head."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    cutting, model = AutoTokenizer.from_pretrained(folder), AutoModelForTokenClassification.from_pretrained(folder)
    before = encoder.description.prefix
    for text, tokens in zip(texts, tokenizer.encode_batch(list(texts)), strict=True):
        ids = [*vocabulary.to_ids(tokens), vocabulary.eos_id]
        found = cutting(text)["input_ids"]
        if found != [*before, *ids]:
            raise StageformerError(
                f"the head cannot be written for Transformers: its tokenizer cuts {text!r:.60} into other ids there; "
                f"{_INSTEAD}"
            )
        features = (encoder.states(torch.tensor([ids]))[layer] - head.model.mean) / head.model.scale
        logits = model(input_ids=torch.tensor([found])).logits[:, len(before) :]
        if not torch.allclose(head.model.output(features), logits, atol=TOLERANCE, rtol=TOLERANCE):
            raise StageformerError(
                "the head cannot be written for Transformers: the library computes something else than the head from "
                f"layer {layer} of this encoder; {_INSTEAD}"
            )
