"""Parameters of the stage ``embed``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from stageformer.params.base import MAX_SEED, Params, param


class Embed(Params):
    """The embedding matrix and the table of positions."""

    d_model: int = param("width of every vector between the layers (D)", minimum=1, maximum=65_536)
    initialisation: Literal["normal", "xavier", "pretrained"] = param("initial values of the embedding matrix")
    pretrained: str | None = param(
        "vectors as word2vec, fastText or GloVe write them, also in gzip, for initialisation: pretrained"
    )
    scale: bool = param("multiply embeddings by sqrt(d_model), as in section 3.4 of the paper")
    positions: Literal["sinusoidal", "learned", "none"] = param("positional encoding")
    max_length: int = param(
        "length of the table of positions: the longest sentence, in tokens", minimum=2, maximum=1_000_000
    )
    seed: int = param("seed of the random initial values", minimum=0, maximum=MAX_SEED)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.positions == "sinusoidal" and self.d_model % 2:
            raise ValueError(f"d_model is {self.d_model}; sinusoidal positions need an even number")
        if self.initialisation == "pretrained" and not self.pretrained:
            raise ValueError("initialisation is 'pretrained' but pretrained names no file of vectors")
        return self
