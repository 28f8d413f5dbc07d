"""Reading ``params.yaml`` and its like, by the same rules as DVC.

DVC reads and writes YAML 1.2, where ``no`` is the language code of Norwegian and ``1e-3`` is a number. PyYAML reads
YAML 1.1, where they are ``False`` and a text, so that a value set by ``dvc exp run -S`` would change on the way.
"""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from stageformer.errors import StageformerError


def read_yaml(path: Path) -> dict[str, object]:
    """Read a YAML file of groups.

    Raises:
        StageformerError: the file is missing, it is not YAML (the message names the line), a key stands in it twice,
            or it is no mapping.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file; run from the root of the repository") from None
    return parse_yaml(content, str(path))


def parse_yaml(content: bytes, origin: str) -> dict[str, object]:
    """Return the groups in the content of a YAML file.

    Args:
        content: of the file
        origin: names the file in messages

    Raises:
        StageformerError: it is not UTF-8, it is not YAML (the message names the line), a key stands in it twice, or it
            is no mapping.
    """
    try:
        # pure: ruamel's optional C parser knows YAML 1.1 only.
        values = YAML(typ="safe", pure=True).load(content.decode())
    except UnicodeDecodeError as error:
        raise StageformerError(f"{origin}: not UTF-8 text (byte {error.start})") from None
    except YAMLError as error:
        raise StageformerError(f"{origin}{_reason(error)}") from None
    if not isinstance(values, dict):
        raise StageformerError(f"{origin}: expected groups of parameters, found {values!r}")
    return values


def _reason(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f", line {error.problem_mark.line + 1}: not readable as YAML: {error.problem}"
    return f": not readable as YAML: {' '.join(str(error).split())}"
