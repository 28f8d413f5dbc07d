"""Vectors from a table of PostgreSQL, as pgvector and pgai keep them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence

import numpy as np
import psycopg

from stageformer.artifacts.answers import Answers, Asked, Floats
from stageformer.errors import StageformerError
from stageformer.params.services import Sql
from stageformer.vectors.base import Found, stacked

NEEDS = ("psycopg",)

_WORDS_AT_ONCE = 10_000
"""What one query asks for: what it found is recorded before the next."""


class SqlVectors:
    """The vectors of a query; see :class:`~stageformer.vectors.base.VectorSource`.

    What the query found, and for which words it found nothing, is recorded.
    """

    knows_every_text = False
    name = "the query of the source sql"

    def __init__(self, params: Sql, answers: Answers) -> None:
        self._params = params
        self._answers = answers

    @property
    def asked(self) -> Asked:
        """What decides an answer: the query."""
        return Asked("sql", self._params.query, self._params.revision, None)

    def vectors(self, words: Sequence[str]) -> Found:
        """Return the vectors of those words that the query finds.

        Raises:
            StageformerError: the variable of the address is not set, the database is not to be reached or refuses the
                query, or what it gives is not a word and a vector; no message holds the address.
        """
        asked = self.asked
        known = self._answers.find(asked, words)
        missing = [word for word in words if word not in known]
        nothing: Floats = np.empty(0, np.float32)
        for first in range(0, len(missing), _WORDS_AT_ONCE):
            part = missing[first : first + _WORDS_AT_ONCE]
            new = self._query(part)
            self._answers.add(asked, {word: new.get(word, nothing) for word in part})
            known |= new
        rows = [row for row, word in enumerate(words) if len(known.get(word, ()))]
        return Found(stacked(self.name, [known[words[row]] for row in rows]), rows)

    def _query(self, words: list[str]) -> dict[str, Floats]:
        variable = self._params.dsn_variable
        address = os.environ.get(variable, "")
        if not address:
            raise StageformerError(f"dsn_variable: the environment variable {variable} is not set")
        try:
            with psycopg.connect(address) as connection:
                found = connection.execute(self._params.query.encode(), {"words": words}).fetchall()
        except psycopg.Error as error:
            # Of what the server says of the query, the first line; what fails before that may name the address.
            said = error.diag.message_primary or type(error).__name__
            raise StageformerError(f"{self.name}: {' '.join(said.split())}") from None
        wanted = set(words)
        vectors = {}
        for row in found:
            word, vector = row if len(row) == 2 else (None, None)
            try:
                # Without the types of pgvector, a vector comes as its text, which is a list in JSON.
                values = json.loads(vector) if isinstance(vector, str) else [float(value) for value in vector or []]
                is_vector = isinstance(word, str) and bool(values) and all(map(math.isfinite, values))
            except (TypeError, ValueError):
                is_vector = False
            if not is_vector:
                raise StageformerError(f"{self.name}: gave a row that is not a word and a vector of finite numbers")
            if word in wanted:
                vectors[word] = np.asarray(values, np.float32)
        return vectors


def open_source(params: Sql, answers: Answers) -> SqlVectors:
    """Return the source that the parameters describe."""
    return SqlVectors(params, answers)
