"""Asking a service for the vectors of texts: what is recorded is never asked again, and what arrives is recorded.

A request that cannot be answered now (too many, a fault of the server, no connection) is repeated with growing pauses,
or after the time that the service names. Every batch is recorded as soon as it is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np

from stageformer.artifacts.answers import Answers, Asked, Floats
from stageformer.artifacts.files import first_line
from stageformer.console.output import say
from stageformer.errors import StageformerError
from stageformer.vectors.base import Found, stacked

CANARY = "The quick brown fox jumps over the lazy dog."
"""Asked again in every run that asks anything: an answer of another direction is one of another model."""

_LEAST_COSINE = 0.999
_ATTEMPTS = 8
_LONGEST_PAUSE = 60.0
_LONGEST_PAUSE_ASKED_FOR = 3600.0
_SECONDS_BETWEEN_LINES = 5.0
_LONGEST_REASON = 300
_CHARACTERS_OF_A_TOKEN = 4
"""of English; for the estimate before the first request"""

Vectors = Sequence[Sequence[float]]


class NotNow(Exception):  # noqa: N818  # no error: the request is repeated
    """A request that may be answered later.

    Args:
        reason: for the user, without secrets
        pause: seconds to wait, if the service said so
    """

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Service:
    """What is asked.

    ``ask`` gets a batch of texts and returns a vector for each, in order; it raises :class:`NotNow`, or a
    StageformerError for what no repetition changes.
    """

    name: str
    asked: Asked
    ask: Callable[[list[str]], Vectors]
    batch_size: int
    price: float | None = None
    """of a million tokens, in any currency"""


def answers_to(service: Service, texts: Sequence[str], answers: Answers) -> Found:
    """Return the vectors of all ``texts``, each of which is there once, from the record or from the service.

    Raises:
        StageformerError: the service refuses, is not to be reached, answers with another number of vectors or another
            width than it should, or is another model than the one whose answers are recorded.
    """
    known = answers.find(service.asked, [*texts, CANARY])
    missing = [text for text in texts if text not in known]
    if missing:
        _announce(service, len(texts), missing)
        _check_canary(service, known.get(CANARY), answers)
        known |= _ask_all(service, missing, answers)
    return Found(stacked(service.name, [known[text] for text in texts]), list(range(len(texts))))


def _announce(service: Service, total: int, missing: Sequence[str]) -> None:
    tokens = sum(max(1, len(text) // _CHARACTERS_OF_A_TOKEN) for text in missing)
    price = "" if service.price is None else f", price {tokens * service.price / 1e6:.2g}"
    recorded = f"; {total - len(missing):,} are recorded" if total > len(missing) else ""
    say(f"asking {service.name} for {len(missing):,} texts, about {tokens:,} tokens{price}{recorded}")


def _check_canary(service: Service, recorded: Floats | None, answers: Answers) -> None:
    if service.asked in answers.unchanged:
        return
    now = _ask(service, [CANARY])[0]
    if recorded is None:
        answers.add(service.asked, {CANARY: now})
        answers.unchanged.add(service.asked)
        return
    alike = len(now) == len(recorded) and float(now @ recorded) / float(
        np.linalg.norm(now) * np.linalg.norm(recorded)
    )
    if not alike >= _LEAST_COSINE:
        raise StageformerError(
            f"{service.name}: the model has changed: its answer to a text that was asked before is another one; set "
            "the revision of the source to a new name, and everything is asked anew"
        )
    answers.unchanged.add(service.asked)


def _ask_all(service: Service, missing: list[str], answers: Answers) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    started = said = time.monotonic()
    for first in range(0, len(missing), service.batch_size):
        batch = missing[first : first + service.batch_size]
        new = dict(zip(batch, _ask(service, batch), strict=True))
        answers.add(service.asked, new)
        found |= new
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LINES and len(found) < len(missing):
            said, rate = now, len(found) / (now - started)
            left = (len(missing) - len(found)) / rate
            say(f"{len(found):,} of {len(missing):,} texts, {rate:,.0f} a second, {left:,.0f} seconds left")
    return found


def _ask(service: Service, batch: list[str]) -> list[Floats]:
    """Ask until there is an answer, and check it."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            vectors = service.ask(batch)
            break
        except NotNow as error:
            if attempt == _ATTEMPTS:
                raise StageformerError(f"{service.name}: {error}, {_ATTEMPTS} times in a row") from None
            pause = error.pause if error.pause is not None else min(2.0 ** (attempt - 1), _LONGEST_PAUSE)
            if pause > _LONGEST_PAUSE_ASKED_FOR:
                raise StageformerError(f"{service.name}: {error}; asks for a pause of {pause:.3g} seconds") from None
            say(f"{service.name}: {error}; again in {pause:.0f} s")
            time.sleep(pause)
    if len(vectors) != len(batch):
        raise StageformerError(f"{service.name}: answered {len(batch)} texts with {len(vectors)} vectors")
    found = [_floats(service.name, vector) for vector in vectors]
    wanted = service.asked.dimensions or len(found[0])
    for vector in found:
        if vector.shape != (wanted,) or not np.isfinite(vector).all() or not vector.any():
            raise StageformerError(
                f"{service.name}: answered with a vector of {list(vector.shape)} values, needed {wanted} finite ones"
                " that are not all zero"
            )
    return found


def _floats(name: str, vector: object) -> Floats:
    """Return a vector of a service as numbers. Raises StageformerError when it holds something else."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
            found: Floats = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise StageformerError(f"{name}: answered with a vector that is not of numbers ({first_line(error)})") from None
    return found


def shortened(reason: str) -> str:
    """Return what others say of an error, cut off where it is long: a server may send a whole page."""
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} ..."


def pause_of(header: str | None) -> float | None:
    """Return the seconds that a header ``Retry-After`` asks for, a number or a date; None: it asks for none."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
