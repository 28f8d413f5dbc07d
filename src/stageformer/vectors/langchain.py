"""Vectors of any ``Embeddings`` of LangChain, or of an object of one's own that has its ``embed_documents``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any

from stageformer.artifacts.answers import Answers, Asked
from stageformer.artifacts.files import first_line
from stageformer.errors import StageformerError
from stageformer.params.choices import function_at
from stageformer.params.services import LangChain
from stageformer.vectors._asking import NotNow, Service, Vectors, answers_to, pause_of, shortened
from stageformer.vectors.base import Found

_SECRET = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6
_LONGEST_CHAIN = 8
"""errors that were raised from one another"""


class LangChainVectors:
    """The vectors of an object of others; see :class:`~stageformer.vectors.base.VectorSource`."""

    knows_every_text = True

    def __init__(self, params: LangChain, answers: Answers) -> None:
        self._params = params
        self._answers = answers
        self._embeddings: Any = None

    @property
    def name(self) -> str:
        """What makes the object."""
        return self._params.factory

    @property
    def asked(self) -> Asked:
        """What decides an answer: the class and its arguments."""
        arguments = json.dumps(self._params.arguments, sort_keys=True, ensure_ascii=False)
        return Asked("langchain", f"{self._params.factory} {arguments}", self._params.revision, None)

    def vectors(self, words: Sequence[str]) -> Found:
        """Return a vector for every word.

        Raises:
            StageformerError: there is no such factory, it fails, or as
                :func:`~stageformer.vectors._asking.answers_to`.
        """
        service = Service(self.name, self.asked, self._ask, self._params.batch_size)
        return answers_to(service, words, self._answers)

    def _ask(self, texts: list[str]) -> Vectors:
        if self._embeddings is None:
            factory = function_at(self._params.factory)
            # Before it is called: parameters of others must not call whatever there is.
            if not (isinstance(factory, type) and callable(getattr(factory, "embed_documents", None))):
                raise StageformerError(f"{self.name}: is no class with embed_documents")
            try:
                self._embeddings = factory(**self._params.arguments)
            except Exception as error:  # code of others
                raise StageformerError(f"{self.name}: cannot be made ({_reason(error)})") from None
        try:
            answer: Vectors = self._embeddings.embed_documents(texts)
        except Exception as error:  # code of others
            status, headers = _answer_behind(error)
            if isinstance(error, ConnectionError | TimeoutError) or status in (408, 429) or (status or 0) >= 500:
                raise NotNow(_reason(error), pause_of(headers.get("retry-after"))) from None
            raise StageformerError(f"{self.name}: {_reason(error)}") from None
        return answer


def _answer_behind(error: BaseException) -> tuple[int | None, Any]:
    """Return the status of HTTP by which a call failed, and the headers; None: there was no such answer.

    Each client wraps it in errors of its own: the status is an attribute of one of them, under one of several names.
    """
    status, headers = None, None
    chain: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if chain is None:
            break
        response = getattr(chain, "response", None)
        named = [getattr(chain, name, None) for name in ("status_code", "code")]
        named.append(getattr(response, "status_code", None))
        status = status or next((one for one in named if type(one) is int), None)
        headers = headers or getattr(response, "headers", None)
        chain = chain.__cause__ or chain.__context__
    return status, headers or {}


def _reason(error: Exception) -> str:
    """Return what an error of others says, without the secrets of the environment, which it may hold."""
    line = f"{type(error).__name__}: {first_line(error)}"
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET:
            line = line.replace(value, "***")
    return shortened(line)


def open_source(params: LangChain, answers: Answers) -> LangChainVectors:
    """Return the source that the parameters describe."""
    return LangChainVectors(params, answers)
