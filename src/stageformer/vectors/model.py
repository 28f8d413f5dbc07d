"""Vectors of a model in a local folder, as Transformers or Sentence Transformers wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from stageformer.artifacts.answers import Answers
from stageformer.artifacts.files import first_line
from stageformer.artifacts.reading import read_json
from stageformer.errors import StageformerError
from stageformer.params.embed import Model
from stageformer.vectors.base import Found

NEEDS = ("transformers",)

_BATCH = 64


class ModelVectors:
    """The vectors of a model; see :class:`~stageformer.vectors.base.VectorSource`.

    ``input``: the mean of the rows of the input embedding that the word's pieces have. Else the hidden states of a
    layer, pooled over the word with its special tokens: ``last`` as the files of Sentence Transformers say, where there
    are any, and otherwise their mean.
    """

    knows_every_text = True

    def __init__(self, params: Model) -> None:
        self._layer = params.layer
        self._folder = Path(params.path)
        self.name = params.path

    @torch.inference_mode()
    def vectors(self, words: Sequence[str]) -> Found:
        """Return a vector for every word.

        Raises:
            StageformerError: the folder holds no model, or the model has no such layer.
        """
        if not self._folder.is_dir():
            raise StageformerError(f"{self.name}: no such folder; embed.source.path should name that of a model")
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
            model = AutoModel.from_pretrained(self._folder, local_files_only=True).eval()
        except Exception as error:  # Transformers raises of many kinds
            raise StageformerError(f"{self.name}: holds no model that can be read ({first_line(error)})") from None
        if self._layer.isdecimal() and int(self._layer) > (layers := model.config.num_hidden_layers):
            raise StageformerError(f"{self.name}: has {layers} layers, but embed.source.layer is {self._layer}")
        parts = []
        for start in range(0, len(words), _BATCH):
            batch = tokenizer(
                list(words[start : start + _BATCH]), padding=True, truncation=True, return_tensors="pt",
                add_special_tokens=self._layer != "input",
            )  # fmt: skip
            parts.append(self._pooled(model, batch))
        found = torch.cat(parts).float().clone() if parts else torch.empty(0, 0)
        known = [row for row, vector in enumerate(found) if vector.any()]  # a word may have no piece at all
        return Found(found[known], known)

    def _pooled(self, model: Any, batch: Any) -> Tensor:
        present = batch["attention_mask"][..., None].float()  # [B, S, 1]
        if self._layer == "input":
            states = model.get_input_embeddings()(batch["input_ids"].long())
        else:
            encoder = model.get_encoder() if model.config.is_encoder_decoder else model
            output = encoder(**batch, output_hidden_states=self._layer != "last")
            states = output.last_hidden_state if self._layer == "last" else output.hidden_states[int(self._layer)]
        pooled: Tensor = (states * present).sum(1) / present.sum(1).clamp(min=1)
        modules = self._folder / "modules.json"
        if self._layer != "last" or not modules.is_file():
            return pooled
        listed = [str(module["type"]).rpartition(".")[2] for module in read_json(modules)]
        if unknown := set(listed) - {"Transformer", "Pooling", "Normalize"}:
            raise StageformerError(f"{modules}: has {sorted(unknown)[0]}, which is not read here; choose another layer")
        modes = [key for key, value in read_json(self._folder / "1_Pooling/config.json").items() if value is True]
        modes = [mode for mode in modes if mode.startswith("pooling_mode_")]
        if modes == ["pooling_mode_cls_token"]:
            pooled = states[:, 0]
        elif modes != ["pooling_mode_mean_tokens"]:
            raise StageformerError(f"{self.name}: pools by {', '.join(modes)}, which is not done here")
        return torch.nn.functional.normalize(pooled, dim=1) if "Normalize" in listed else pooled


def open_source(params: Model, answers: Answers) -> ModelVectors:
    """Return the source that the parameters describe; a model on this machine asks nobody for ``answers``."""
    return ModelVectors(params)
