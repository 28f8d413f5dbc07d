"""Groups of several kinds: a parameter says which, and each kind has parameters of its own."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from ruamel.yaml import YAML

from stageformer.errors import StageformerError
from stageformer.params.base import Params, group, param, parse
from stageformer.params.render import json_schema, render


class Trained(Params):
    """Trained on the corpus."""

    kind: Literal["bpe", "unigram"] = param("how the tokenizer is made")
    size: int = param("number of tokens", minimum=8, maximum=1000)


class Loaded(Params):
    """Read from a file."""

    kind: Literal["file"] = param("how the tokenizer is made")
    path: str = param("the file")


class Cut(Params):
    """How text is cut."""

    source: Trained | Loaded = group("where the tokenizer comes from", kind="kind")
    lowercase: bool = param("lower-case first")


class File(Params):
    cut: Cut


def values(**source: object) -> dict[str, Any]:
    return {"cut": {"source": source, "lowercase": False}}


def test_the_kind_chooses_the_class() -> None:
    assert isinstance(parse(File, values(kind="unigram", size=9), "").cut.source, Trained)
    assert isinstance(parse(File, values(kind="file", path="a"), "").cut.source, Loaded)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kind": "fil"}, "cut.source.kind is 'fil' (did you mean 'file'?); allowed: bpe, unigram, file"),
        ({"kind": None}, "cut.source.kind must be a text, found null"),
        ({"kind": ["bpe"]}, "cut.source.kind must be a text, found ['bpe']"),
        ({"size": 9}, "cut.source.kind is missing (how the tokenizer is made)"),
        ({"kind": "bpe", "size": 9, "path": "a"}, "cut.source.path belongs to kind 'file', but kind is 'bpe'"),
        ({"kind": "file", "path": "a", "size": 9},
         "cut.source.size belongs to kind 'bpe' or 'unigram', but kind is 'file'"),
        ({"kind": "file", "paht": "a"}, "unknown key cut.source.paht (did you mean 'path'?)"),
        ({"kind": "file"}, "cut.source.path is missing (the file)"),
        ({"kind": "bpe", "size": 7}, "cut.source.size is 7; the minimum is 8"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(source: dict[str, object], message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        parse(File, values(**source), "")
    assert str(caught.value) == f"params: {message}"


def test_a_value_that_is_no_group() -> None:
    with pytest.raises(StageformerError, match=r"^params: cut\.source must be a group of parameters, found 'bpe'$"):
        parse(File, {"cut": {"source": "bpe", "lowercase": False}}, "")


@pytest.mark.parametrize("source", [{"kind": "bpe", "size": 9}, {"kind": "file", "path": "a"}])
def test_the_file_has_the_parameters_of_the_kind_and_names_every_kind(source: dict[str, object]) -> None:
    text = render(File, values(**source))
    assert YAML(typ="safe", pure=True).load(text) == values(**source)
    assert "    # how the tokenizer is made [bpe | unigram | file]\n    kind: " in text
    assert "  # where the tokenizer comes from\n  source:\n" in text


def test_the_schema_has_one_alternative_for_each_kind() -> None:
    source = json_schema(File)["properties"]["cut"]["properties"]["source"]
    assert source["description"] == "where the tokenizer comes from"
    assert source["discriminator"] == {"propertyName": "kind"}
    trained, loaded = source["oneOf"]
    assert trained["properties"]["kind"]["enum"] == ["bpe", "unigram"]
    assert loaded["properties"]["kind"]["const"] == "file"
    assert loaded["required"] == ["kind", "path"]
    assert loaded["additionalProperties"] is False
    assert trained["properties"]["size"] == {
        "description": "number of tokens", "type": "integer", "minimum": 8, "maximum": 1000,
    }  # fmt: skip
