"""What a task is: a model, examples to learn from and to validate on, and a loss.

The loop (:mod:`stageformer.training.loop`) knows nothing else of what it trains. A new task is one new file beside this
one: a dataclass that has what :class:`Task` lists, whatever its model predicts from whatever it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import nn

from stageformer.batching.sentences import Ints
from stageformer.training.loss import Loss


class Task(Protocol):
    """A model, examples to learn from (``train``) and to validate on (``valid``), and a loss.

    An example is one sentence with what is to be predicted of it, and is named by its row in the split.
    """

    unit: str
    """what one target is, in the plural, such as ``target tokens``: losses are means over them"""

    @property
    def model(self) -> nn.Module:
        """Holds every weight that is trained, and is used by :meth:`loss`."""

    def ids(self, split: str) -> Ints:
        """Return the sentence id of each example of a split, ``[examples]``."""

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """Return the tokens of each example of a split on both sides, ``[examples]``: they say what fits in a batch.

        A task that reads only one side returns its lengths twice.
        """

    def loss(self, split: str, rows: Ints) -> Loss:
        """Return the loss of the examples ``rows [B]`` of a split, summed over their targets.

        Random numbers come from :func:`stageformer.kernels.draws.current_generator`, and are drawn only while the model
        is in training mode.
        """

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return what to report besides the loss, by name.

        Args:
            means: over all targets of the split ``valid``, by the names in :attr:`Loss.sums`
        """
