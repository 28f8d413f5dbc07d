"""JSON for other programs, printed through the same cleaning as everything else."""

from __future__ import annotations

import json

import pytest

from stageformer.console.output import echo
from stageformer.terminal.json_text import json_text


def test_what_is_printed_is_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    content = {"text": "".join(map(chr, range(0xA0))) + "ä\u2028\u202e\u2069\ud800😀", "values": [1, 0.5, True, None]}
    for indent in (2, None):
        echo(json_text(content, indent=indent))
        printed = capsys.readouterr().out
        assert json.loads(printed) == content
        assert not set(map(chr, [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x2028, 0x202E])) & set(printed)


def test_numbers_that_json_lacks_are_null() -> None:
    found = json_text({"a": (float("nan"), 1.5), "b": [{"c": float("-inf")}]}, indent=None)
    assert found == '{"a": [null, 1.5], "b": [{"c": null}]}'
