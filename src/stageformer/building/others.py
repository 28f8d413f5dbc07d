"""What stands in the place of our own encoder, where others make the memory."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import Any

from stageformer.model.config import StackConfig
from stageformer.model.transformer import Encoder


class EncoderOfOthers(Encoder):
    """Is behind the interface of our own encoder, but has no layers of ours."""

    stack: StackConfig
    """its sizes, as far as it has such"""

    @property
    @abstractmethod
    def description(self) -> Any:
        """What it is besides its weights, with a method ``values`` that returns plain values to store."""

    @property
    def identity(self) -> bytes:
        """What makes memory besides the weights."""
        return json.dumps(self.description.values(), sort_keys=True).encode()
