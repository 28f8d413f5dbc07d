"""An encoder that others trained, behind the interface of ours: what the library Transformers calls ``AutoModel``.

Its weights are in our artifacts as plain tensors under the library's names, and its configuration as JSON. The network
itself is made when something is first encoded: who learns from saved memory never loads it, nor the library.

Shape letters: B batch, S source length, E width of a hidden state.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stageformer.artifacts.files import first_line
from stageformer.building.others import EncoderOfOthers
from stageformer.errors import StageformerError, require
from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.embedding import Embedding

_BUILDING = threading.Lock()
_DECODERS = ("decoder_layers", "num_decoder_layers")
"""Fields that say how many layers a decoder has, which some encoders are made with; one will do."""


@dataclass(frozen=True)
class Pretrained:
    """What an encoder of others is besides its weights, as plain values."""

    config: str
    """of the library, as JSON"""
    embedding: str
    """name of the weight that is the input embedding"""
    prefix: list[int]
    """ids that the model expects before each sentence, such as that of ``[CLS]``; their states are not kept"""
    revision: str | None
    """the user's name for the version of the files"""

    @staticmethod
    def of_file(values: object) -> Pretrained:
        """Return what a file holds. Raises KeyError, TypeError or ValueError on anything else."""
        if not isinstance(values, Mapping):
            raise TypeError("pretrained is no group of values")
        found = Pretrained(values["config"], values["embedding"], values["prefix"], values.get("revision"))
        is_right = isinstance(found.config, str) and isinstance(found.embedding, str) and isinstance(found.prefix, list)
        if not is_right or any(type(index) is not int for index in found.prefix):
            raise TypeError("pretrained holds values of other types")
        if not isinstance(json.loads(found.config), dict):
            raise ValueError("pretrained.config is no group of values")
        return found

    def values(self) -> dict[str, Any]:
        """Return the plain values to store, without what is None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class PretrainedEncoder(EncoderOfOthers):
    """An encoder of others.

    The memory has one vector for each id that it is given, as that of our own encoder: the states of what the model
    expects before a sentence are left out.

    Args:
        description: what it is
        embedding: of the sources: how many ids may occur, and how long a sentence may be
        stack: its width, layers and heads; of the other values none means anything
        weights: by their names in the library
    """

    def __init__(
        self, description: Pretrained, embedding: EmbeddingConfig, stack: StackConfig, weights: Mapping[str, Tensor]
    ) -> None:
        nn.Module.__init__(self)
        self._description = description
        self.stack = stack
        self.weights = _tree(weights)
        self.embedding = _InputEmbedding(embedding, self.weights.get_parameter(description.embedding))
        self.layers = nn.ModuleList()  # none of ours
        self.norm = nn.Identity()
        self.kept = stack.kept
        self._network: list[Any] = []  # in a list, so that torch does not count its weights a second time
        self.eval()

    @property
    def description(self) -> Pretrained:
        """What it is besides its weights."""
        return self._description

    def forward(self, source_ids: Tensor, source_present: Tensor | None = None) -> Tensor:
        """See :meth:`Encoder.forward`."""
        if self.kept is not None:
            return super().forward(source_ids, source_present)
        return self._run(source_ids, source_present, every_layer=False)[-1]

    def states(self, source_ids: Tensor, source_present: Tensor | None = None) -> list[Tensor]:
        """See :meth:`Encoder.states`. The last is what the library calls the last hidden state."""
        return self._run(source_ids, source_present, every_layer=True)

    def _run(self, ids: Tensor, present: Tensor | None, *, every_layer: bool) -> list[Tensor]:
        present = torch.ones_like(ids, dtype=torch.bool) if present is None else present
        before = ids.new_tensor(self.description.prefix).expand(len(ids), -1)  # [B, P]
        output = self.network()(
            input_ids=torch.cat([before, ids], 1),
            attention_mask=torch.cat([torch.ones_like(before), present.to(ids)], 1),
            output_hidden_states=every_layer,
        )
        states = output.hidden_states if every_layer else [output.last_hidden_state]
        return [state[:, before.size(1) :] for state in states]

    def network(self) -> Any:
        """Return the module of the library, made when it is first asked for, with our weights.

        Raises:
            StageformerError: the library is not installed, or this version of it has other weights in such a model.
        """
        with _BUILDING, torch.inference_mode(False):  # what is made in that mode is of no use outside of it
            if not self._network:
                self._network.append(self._build())
        return self._network[0]

    def _build(self) -> Any:
        require("transformers")
        from transformers import AutoConfig, AutoModel

        values = json.loads(self.description.config)
        values |= {name: 1 for name in _DECODERS if name in values}
        kind = values.pop("model_type", None)
        try:
            with torch.random.fork_rng(devices=[]):
                network = encoder_of(AutoModel.from_config(AutoConfig.for_model(kind, **values), dtype=torch.float32))
            ours, theirs = dict(self.weights.named_parameters()), dict(network.named_parameters())
            if ours.keys() != theirs.keys():
                raise ValueError(f"other weights: {sorted(ours.keys() ^ theirs.keys())[0]}")
            for name, weight in theirs.items():
                if weight.shape != ours[name].shape:
                    raise ValueError(f"{name} is {list(ours[name].shape)}, not {list(weight.shape)}")
                weight.requires_grad_(False)
                weight.data = ours[name].data
        except Exception as error:  # the library raises of many kinds
            reason = first_line(error)
            raise StageformerError(f"the pretrained encoder ({kind}) cannot be built here ({reason})") from None
        network.to(self.embedding.weight.device).eval()
        # The library puts its hooks in place at the first call, which should not be in two threads at once.
        with torch.inference_mode():
            network(input_ids=torch.zeros(1, 1, dtype=torch.int64, device=self.embedding.weight.device),
                    output_hidden_states=True)  # fmt: skip
        return network


class _InputEmbedding(Embedding):
    """The matrix of input embeddings alone: the network has its own way of looking up."""

    def __init__(self, config: EmbeddingConfig, weight: nn.Parameter) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.weight = weight
        self.positions = None


def _tree(weights: Mapping[str, Tensor]) -> nn.Module:
    """Return a module that holds weights under their dotted names, and can do nothing with them."""
    root = nn.Module()
    for name, weight in weights.items():
        *path, leaf = name.split(".")
        place = root
        for step in path:
            if step not in dict(place.named_children()):
                place.add_module(step, nn.Module())
            place = place.get_submodule(step)
        place.register_parameter(leaf, nn.Parameter(weight, requires_grad=False))
    return root


def encoder_of(network: Any) -> Any:
    """Return the encoder of a model of the library, without what is not needed for hidden states."""
    encoder = network.get_encoder() if network.config.is_encoder_decoder else network
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder
