"""Services that return vectors of texts: whom to ask, and how. No class here holds a key; it names a variable.

The stage ``embed`` asks them for tokens, and ``train_encoder.objective: service`` for sentences.
"""

from __future__ import annotations

from typing import Any, Literal

from stageformer.params.base import Params, param


class Service(Params):
    """A source that is asked over a network; its answers are recorded, and nothing recorded is asked again."""

    revision: str | None = param(
        "a name of one's own for the version of what is asked; another one asks for everything anew; null: none"
    )


class Http(Service):
    """A server that speaks the protocol of OpenAI."""

    kind: Literal["http"] = param("who is asked")
    base_url: str = param("its address, such as https://api.openai.com/v1 or http://127.0.0.1:11434/v1")
    model: str = param("the model, as the server calls it")
    dimensions: int | None = param(
        "width to ask for, of models that have several; null: the model's own", minimum=1, maximum=65_536
    )
    batch_size: int = param("texts in one request", minimum=1, maximum=2048)
    api_key_variable: str | None = param("the environment variable that holds the key; null: no key")
    price: float | None = param(
        "of a million tokens, for the estimate before the first request; null: unknown", minimum=0, maximum=1_000_000
    )


class LangChain(Service):
    """An ``Embeddings`` of LangChain."""

    kind: Literal["langchain"] = param("who is asked")
    factory: str = param("module:Class, such as langchain_ollama:OllamaEmbeddings")
    arguments: dict[str, Any] = param("what it is made with; a key belongs into the environment")
    batch_size: int = param("texts in one call", minimum=1, maximum=2048)


class Sql(Params):
    """A table of vectors in PostgreSQL."""

    kind: Literal["sql"] = param("who is asked")
    dsn_variable: str = param("the environment variable that holds the address and the password")
    query: str = param("gives rows of word (or sentence) and vector, for the list %(words)s")
    revision: str | None = param(
        "a name of one's own for the version of the table; another one asks for everything anew; null: none"
    )


AnyService = Http | LangChain | Sql
