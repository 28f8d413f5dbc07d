"""Parameters of the stage ``embed``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from stageformer.params import services
from stageformer.params.base import MAX_SEED, Name, Params, group, param


class Random(Params):
    """Vectors by chance."""

    kind: Literal["random"] = param("where the initial embedding matrix comes from")
    distribution: Literal["normal", "uniform", "xavier"] = param(
        "of the values; normal and uniform have a standard deviation of 1 / sqrt(d_model)"
    )


class Vectors(Params):
    """What every source has whose vectors belong to words."""

    project: Literal["error", "pca", "learned"] = param(
        "vectors that are not d_model wide: error: refuse them; pca: keep their d_model principal components; learned: "
        "a matrix that is trained along"
    )


class Listed(Vectors):
    """A source that lists the words that it has vectors of."""

    pieces: Literal["random", "mean"] = param(
        "a token that spells no word of the source: random, or the mean of the words of train that contain it"
    )


class File(Listed):
    """A file of vectors, as word2vec, GloVe, fastText or NumPy write it."""

    kind: Literal["file"] = param("where the initial embedding matrix comes from")
    path: str = param("the file, plain or in gzip")
    format: Literal["auto", "text", "word2vec_bin", "fasttext_bin", "numpy"] = param(
        "auto: told by the first bytes; numpy: an .npz with the arrays words and vectors"
    )


def _known_layer(layer: str) -> str:
    if layer not in ("input", "last") and not layer.isdecimal():
        raise ValueError(f"found {layer!r}; needed input, last or the number of a layer")
    return layer


class Model(Vectors):
    """A model in a local folder, as Transformers or Sentence Transformers wrote it."""

    kind: Literal["model"] = param("where the initial embedding matrix comes from")
    path: str = param("its folder")
    layer: Annotated[Name, AfterValidator(_known_layer)] = param(
        "input: the input embedding, mean of the word's pieces; last, or a number: the pooled hidden states of a layer"
    )


class Http(Vectors, services.Http):
    """A server that speaks the protocol of OpenAI."""

    kind: Literal["http"] = param("where the initial embedding matrix comes from")


class LangChain(Vectors, services.LangChain):
    """An ``Embeddings`` of LangChain."""

    kind: Literal["langchain"] = param("where the initial embedding matrix comes from")


class Sql(Listed, services.Sql):
    """A table of vectors in PostgreSQL."""

    kind: Literal["sql"] = param("where the initial embedding matrix comes from")


class Embed(Params):
    """The embedding matrix and the table of positions."""

    d_model: int = param("width of every vector between the layers (D)", minimum=1, maximum=65_536)
    source: Random | File | Model | Http | LangChain | Sql = group(
        "initial values of the embedding matrix", kind="kind"
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
        return self
