"""Parameters of the stage ``embed``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.errors import StageformerError
from stageformer.params.base import param


@dataclass(frozen=True)
class Embed:
    """The embedding matrix and the table of positions."""

    d_model: int = param("width of every vector between the layers (D)", minimum=1)
    initialisation: str = param("start of the embedding matrix", choices=("normal", "xavier", "pretrained"))
    pretrained: str | None = param("text file of word vectors (word2vec .vec format), for initialisation: pretrained")
    scale: bool = param("multiply embeddings by sqrt(d_model), as in section 3.4 of the paper")
    positions: str = param("positional encoding", choices=("sinusoidal", "learned", "none"))
    max_length: int = param("length of the table of positions: the longest sentence, in tokens", minimum=2)
    seed: int = param("seed of the random start", minimum=0)

    def __post_init__(self) -> None:
        if self.positions == "sinusoidal" and self.d_model % 2:
            raise StageformerError(f"d_model is {self.d_model}; sinusoidal positions need an even number")
        if self.initialisation == "pretrained" and not self.pretrained:
            raise StageformerError("initialisation is 'pretrained' but pretrained names no file of vectors")
