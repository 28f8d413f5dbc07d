"""Vectors of a server that speaks the protocol of OpenAI: OpenAI, Gemini, Ollama, vLLM, TEI, llama.cpp and others."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import openai

from stageformer.artifacts.answers import Answers, Asked
from stageformer.artifacts.files import first_line
from stageformer.errors import StageformerError
from stageformer.params.services import Http
from stageformer.vectors._asking import NotNow, Service, Vectors, answers_to, pause_of, shortened
from stageformer.vectors.base import Found

NEEDS = ("openai",)

_TIMEOUT = 120.0
"""Seconds without a byte; and for a whole answer, so that a server that sends byte by byte does not last for ever."""
_BYTES_OF_A_VALUE = 64
_BYTES_OF_THE_REST = 2**20
_WIDEST = 65_536
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

    @property
    def asked(self) -> Asked:
        """What decides an answer; neither the address nor the key."""
        params = self._params
        return Asked("openai", params.model, params.revision, params.dimensions)

    def vectors(self, words: Sequence[str]) -> Found:
        """Return a vector for every word.

        Raises:
            StageformerError: as :func:`~stageformer.vectors._asking.answers_to`, or the variable of the key is not set;
                no message holds the key.
        """
        service = Service(self.name, self.asked, self._ask, self._params.batch_size, self._params.price)
        return answers_to(service, words, self._answers)

    def _ask(self, texts: list[str]) -> Vectors:
        more: dict[str, Any] = {} if self._params.dimensions is None else {"dimensions": self._params.dimensions}
        try:
            self._client = self._client or self._open()
            answer = self._client.embeddings.create(
                model=self._params.model, input=texts, encoding_format="float", **more
            )
        except openai.APIStatusError as error:
            where = error.response.headers.get("location")
            moved = f"redirects to {where[:200]}, which is not followed; " if where else ""
            reason = f"status {error.status_code}: {moved}{self._without_key(error.response.text)}"
            if error.status_code in _NOT_NOW or error.status_code >= 500:
                raise NotNow(reason, pause_of(error.response.headers.get("retry-after"))) from None
            raise StageformerError(f"{self.name}: {reason}") from None
        except openai.APIConnectionError as error:  # a timeout among them
            if isinstance(error.__cause__, StageformerError):
                raise error.__cause__ from None
            raise NotNow(self._without_key(f"not to be reached ({first_line(error)})")) from None
        except (KeyboardInterrupt, MemoryError, StageformerError):
            raise
        except Exception as error:  # the libraries parse whatever comes, and let their errors through
            raise StageformerError(f"{self.name}: {self._without_key(first_line(error))}") from None
        return self._vectors(answer)

    def _open(self) -> openai.OpenAI:
        most = self._params.batch_size * (self._params.dimensions or _WIDEST) * _BYTES_OF_A_VALUE
        return openai.OpenAI(
            api_key=self._key() or "none", base_url=self._params.base_url, max_retries=0, timeout=_TIMEOUT,
            http_client=_BoundedClient(self.name, most + _BYTES_OF_THE_REST),
            default_headers={"Accept-Encoding": "identity"},
        )  # fmt: skip

    def _vectors(self, answer: Any) -> Vectors:
        """Return the vectors of an answer, in the order of their texts. The library has checked nothing."""
        data = getattr(answer, "data", None)
        items: list[object] = data if isinstance(data, list) else [None]
        found: dict[int, list[float]] = {}
        for item in items:
            index, vector = getattr(item, "index", None), getattr(item, "embedding", None)
            if type(index) is not int or not isinstance(vector, list):
                raise StageformerError(f"{self.name}: answered with something else than vectors, each with its index")
            found[index] = vector
        if sorted(found) != list(range(len(items))):
            raise StageformerError(f"{self.name}: answered with vectors whose indices do not count from 0")
        return [found[index] for index in range(len(items))]

    def _key(self) -> str:
        variable = self._params.api_key_variable
        if variable is None:
            return ""
        key = os.environ.get(variable, "").strip()
        if not key:
            raise StageformerError(f"api_key_variable: the environment variable {variable} is not set")
        if not (key.isascii() and key.isprintable()):
            raise StageformerError(f"the environment variable {variable} holds characters that no key has")
        return key

    def _without_key(self, text: str) -> str:
        """Return a text of the server's in one line, without the key, which servers repeat in their errors."""
        key = self._key()
        return shortened(" ".join((text.replace(key, "***") if key else text).split()))


class _BoundedClient(openai.DefaultHttpxClient):
    """Receives answers that are neither packed nor larger, or later, than answers with vectors can be.

    Args:
        name: of the source, for messages.
        most: bytes of an answer.
    """

    def __init__(self, name: str, most: int) -> None:
        # No redirects: the key and the texts go where base_url says, and nowhere else.
        super().__init__(follow_redirects=False, timeout=_TIMEOUT)
        self._name, self._most = name, most

    def send(self, request: Any, **more: Any) -> Any:
        """Send a request and receive the whole answer; see the class above.

        Raises:
            StageformerError: the answer is packed, or larger.
            TimeoutError: it takes too long.
        """
        response = super().send(request, **{**more, "stream": True})
        received, started = bytearray(), time.monotonic()
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise StageformerError(f"{self._name}: answers in a packed form, which was not asked for")
            for part in response.iter_raw():
                received += part
                if len(received) > self._most:
                    raise StageformerError(f"{self._name}: the answer has more than {self._most:,} bytes")
                if time.monotonic() - started > _TIMEOUT:
                    raise TimeoutError(f"no whole answer after {_TIMEOUT:.0f} seconds")
        finally:
            response.close()
        whole: Any = type(response)
        return whole(response.status_code, headers=response.headers, content=bytes(received), request=request)


def open_source(params: Http, answers: Answers) -> HttpVectors:
    """Return the source that the parameters describe."""
    return HttpVectors(params, answers)
