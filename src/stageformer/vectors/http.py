"""Vectors of a server that speaks the protocol of OpenAI: OpenAI, Gemini, Ollama, vLLM, TEI, llama.cpp and others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import openai

from stageformer.artifacts.answers import Answers, Asked
from stageformer.artifacts.files import first_line
from stageformer.errors import StageformerError
from stageformer.params.embed import Http
from stageformer.vectors._asking import NotNow, Service, Vectors, answers_to, pause_of, shortened
from stageformer.vectors.base import Found

NEEDS = ("openai",)

_TIMEOUT = 120.0
_NOT_NOW = (408, 409, 425, 429)


class HttpVectors:
    """The vectors of a server; see :class:`~stageformer.vectors.base.VectorSource`."""

    knows_every_text = True

    def __init__(self, params: Http, answers: Answers) -> None:
        self._params = params
        self._answers = answers
        self._client: openai.OpenAI | None = None

    @property
    def name(self) -> str:
        """Model and address."""
        return f"{self._params.model} at {self._params.base_url}"

    def vectors(self, words: Sequence[str]) -> Found:
        """Return a vector for every word.

        Raises:
            StageformerError: as :func:`~stageformer.vectors._asking.answers_to`, or the variable of the key is not set;
                no message holds the key.
        """
        params = self._params
        asked = Asked("openai", params.model, params.revision, params.dimensions)
        service = Service(self.name, asked, self._ask, params.batch_size, params.price)
        return answers_to(service, words, self._answers)

    def _ask(self, texts: list[str]) -> Vectors:
        if self._client is None:
            self._client = openai.OpenAI(
                api_key=self._key() or "none", base_url=self._params.base_url, max_retries=0, timeout=_TIMEOUT
            )
        more: dict[str, Any] = {} if self._params.dimensions is None else {"dimensions": self._params.dimensions}
        try:
            answer = self._client.embeddings.create(
                model=self._params.model, input=texts, encoding_format="float", **more
            )
        except openai.APIStatusError as error:
            reason = f"status {error.status_code}: {self._without_key(error.response.text)}"
            if error.status_code in _NOT_NOW or error.status_code >= 500:
                raise NotNow(reason, pause_of(error.response.headers.get("retry-after"))) from None
            raise StageformerError(f"{self.name}: {reason}") from None
        except openai.APIConnectionError as error:  # a timeout among them
            raise NotNow(self._without_key(f"not to be reached ({first_line(error)})")) from None
        except (openai.OpenAIError, ValueError) as error:
            raise StageformerError(f"{self.name}: {self._without_key(str(error))}") from None
        data = sorted(answer.data or [], key=lambda item: item.index)
        return [item.embedding for item in data]

    def _key(self) -> str:
        variable = self._params.api_key_variable
        if variable is None:
            return ""
        key = os.environ.get(variable, "").strip()
        if not key:
            raise StageformerError(f"embed.source.api_key_variable: the environment variable {variable} is not set")
        if not (key.isascii() and key.isprintable()):
            raise StageformerError(f"the environment variable {variable} holds characters that no key has")
        return key

    def _without_key(self, text: str) -> str:
        """Return a text of the server's in one line, without the key, which servers repeat in their errors."""
        key = self._key()
        return shortened(" ".join((text.replace(key, "***") if key else text).split()))


def open_source(params: Http, answers: Answers) -> HttpVectors:
    """Return the source that the parameters describe."""
    return HttpVectors(params, answers)
