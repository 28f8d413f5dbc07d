"""Reading ``params.yaml`` and its like, by the same rules as DVC.

DVC reads and writes YAML 1.2, where ``no`` is the language code of Norwegian and ``1e-3`` is a number. PyYAML reads
YAML 1.1, where they are ``False`` and a text, so that a value set by ``dvc exp run -S`` would change on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

from stageformer.artifacts.reading import read_content
from stageformer.errors import StageformerError
from stageformer.params.root import is_root

_MAX_VALUES = 100_000
_LARGEST = 2**18
"""Bytes of a file of parameters, which is ten times what the largest has: YAML takes seconds for more."""


def read_yaml(path: Path) -> dict[str, object]:
    """Read a YAML file of groups. Raises StageformerError as :func:`read_file` and :func:`parse_yaml` do."""
    return parse_yaml(read_file(path), str(path))


def read_file(path: Path) -> bytes:
    """Return the content of a file. Raises StageformerError if it is missing, or the system refuses to read it."""
    try:
        return read_content(path, _LARGEST)
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file{_remedy(path)}") from None
    except OSError as error:
        raise StageformerError(f"{path}: not readable ({error.strerror or error})") from None


def parse_yaml(content: bytes, origin: str) -> dict[str, object]:
    """Return the groups in the content of a YAML file.

    Args:
        content: of the file
        origin: names the file in messages

    Raises:
        StageformerError: it is not UTF-8, it is not YAML (the message names the line), a key is in it twice, it holds
            no groups, or its aliases make it endless.
    """
    try:
        # pure: ruamel's optional C parser knows YAML 1.1 only.
        values = YAML(typ="safe", pure=True).load(_without_comments(content.decode()))
        if _size(values, {}) > _MAX_VALUES:
            raise StageformerError(f"{origin}: aliases make it more than {_MAX_VALUES:,} values; write them out")
    except UnicodeDecodeError as error:
        raise StageformerError(f"{origin}: not UTF-8 text (byte {error.start})") from None
    except YAMLError as error:
        raise StageformerError(f"{origin}{_reason(error)}") from None
    except RecursionError:
        raise StageformerError(f"{origin}: not readable as YAML: nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits, or an impossible date
        raise StageformerError(f"{origin}: not readable as YAML: {error}") from None
    if not isinstance(values, dict):
        found = "nothing" if values is None else repr(values)[:80]
        raise StageformerError(f"{origin}: expected groups of parameters, found {found}")
    return values


def line_of(content: bytes, keys: Sequence[str]) -> int | None:
    """Return the line of a parameter in the content of a YAML file that is readable, from 1.

    Args:
        content: of the file
        keys: names of groups and of the parameter, and for an item of a list its number

    Returns:
        The line of the innermost key that is there; None if not even the first one is.
    """
    node = YAML(typ="safe", pure=True).compose(content.decode())
    line = None
    for key in keys:
        if isinstance(node, MappingNode):
            entries = [(name, value) for name, value in node.value if name.value == key]
        elif isinstance(node, SequenceNode):
            entries = [(item, item) for item in node.value[int(key) : int(key) + 1]]
        else:
            break
        if not entries:
            break
        name, node = entries[0]
        line = name.start_mark.line + 1
    return line


_SIMPLE = re.compile(r"[ ]*(#.*|\w+:( [^\s'\"|>&*!%@`#{\[][^#]*| \[[^#\[\]{}'\"]*\])?[ ]*)?")
"""A line that is a comment, empty, or a key with nothing or one value of its own."""


def _without_comments(text: str) -> str:
    """Return YAML with empty lines for comments, which cost ruamel most of the time for a file like ``params.yaml``.

    Only of a text of simple lines: elsewhere, a line with ``#`` may be no comment.
    """
    lines = text.split("\n")
    if not all(map(_SIMPLE.fullmatch, lines)):
        return text
    return "\n".join("" if line.lstrip(" ").startswith("#") else line for line in lines)


def _remedy(path: Path) -> str:
    """Return how to get a file that is missing; "" for one that is not the parameter file of a repository."""
    if path.name != "params.yaml":
        return ""
    return "; `stageformer use default` makes it" if is_root(path.parent) else "; run from the root of the repository"


def _size(value: object, known: dict[int, int]) -> int:
    """Count the values, as if every alias were written out. An alias inside what it refers to counts as too many.

    Args:
        value: anything that YAML makes.
        known: the sizes found so far, by the id of the list or mapping.
    """
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = _MAX_VALUES + 1  # until it is known
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(item, known) for item in items)
    return known[id(value)]


def _reason(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f", line {error.problem_mark.line + 1}: not readable as YAML: {error.problem}"
    return f": not readable as YAML: {' '.join(str(error).split())}"
