"""``params.yaml`` as code: complete, commented from its classes, and the same in every notation."""

from __future__ import annotations

import copy
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from stageformer.errors import StageformerError
from stageformer.params.base import Params, choices, group_of, is_optional, kinds, limits, value_type
from stageformer.params.groups import Parameters, check
from stageformer.params.reading import read_yaml
from stageformer.params.render import describe, json_schema, render

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "recipes/default.yaml"


def leaves(cls: type[Params], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in cls.model_fields.items():
        inner = group_of(field)
        if inner:
            yield from leaves(inner, f"{prefix}{name}.")
        elif kinds(field):
            for number, one in enumerate(dict.fromkeys(kinds(field).values())):
                yield from leaves(one, f"{prefix}{name}.{number}.")
        else:
            yield f"{prefix}{name}", field


ALL = list(leaves(Parameters, ""))


def changed(path: str, value: object) -> dict[str, Any]:
    values: dict[str, Any] = copy.deepcopy(read_yaml(DEFAULT))
    *groups, key = path.split(".")
    place = values
    for group in groups:
        place = place[group]
    place[key] = value
    return values


def committed(name: str) -> str:
    """Return the file as the next commit holds it: the working copy of params.yaml may have a recipe in use."""
    if shutil.which("git"):
        run = subprocess.run(["git", "show", f":{name}"], cwd=ROOT, capture_output=True, check=False)
        if run.returncode == 0:
            return run.stdout.decode()
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_defaults_pass() -> None:
    check(read_yaml(DEFAULT))


def test_params_yaml_holds_the_defaults() -> None:
    assert committed("params.yaml") == committed("recipes/default.yaml")


def test_every_key_is_under_its_comment() -> None:
    # The text is what the classes make of the values; if it is not, run `make deps`.
    assert DEFAULT.read_text(encoding="utf-8") == render(Parameters, read_yaml(DEFAULT))


def test_the_comments_are_in_the_file_word_for_word() -> None:
    lines = [line.strip() for line in DEFAULT.read_text(encoding="utf-8").splitlines()]
    words = " ".join(re.sub("^# ?", "", line) for line in lines)
    for path, field in ALL:
        if not re.search(r"\.\d", path):  # of a group of several kinds, the file has one
            assert f"{describe(field)} {path.split('.')[-1]}:" in words, path


def test_no_default_hides_in_a_class() -> None:
    for path, field in ALL:
        assert field.is_required(), path
        assert field.description, path


def test_every_number_has_a_lowest_and_a_highest_value() -> None:
    for path, field in ALL:
        if value_type(field) in (int, float):
            low, high = limits(field)
            assert -math.inf < low < high < math.inf, path


TEXTS = ["no", "1e3", "0x1f", "2026.2.3", "13", "null", "a: b", "# x", "", "Größe", "a\nb", "'"]


@pytest.mark.parametrize("value", TEXTS)
def test_any_text_survives(value: str) -> None:
    values = changed("ingest.homeassistant.version", value)
    path_values = changed("ingest.files.train", [value, value])
    assert reread(values) == values
    assert reread(path_values) == path_values


@pytest.mark.parametrize("value", [1e-9, 1e22, 0.1, 3.0, 12345678.9])
def test_any_number_survives(value: float) -> None:
    values = changed("train_decoder.training.learning_rate", value)
    assert reread(values) == values


def reread(values: dict[str, Any]) -> object:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(render(Parameters, values))


def test_the_schema_has_every_key_with_its_description_and_limits() -> None:
    schema = json_schema(Parameters)
    for path, field in ALL:
        place: Any = schema
        for key in path.split("."):
            if key.isdigit():  # one of several kinds of a group
                place = place["oneOf"][int(key)]
                continue
            assert place["additionalProperties"] is False
            assert key in place["required"]
            place = place["properties"][key]
        assert place["description"] == field.description
        values = place.get("items", place)  # of a list, each item is one of the choices, or within the limits
        assert (values.get("minimum", -math.inf), values.get("maximum", math.inf)) == limits(field)
        allowed, optional = choices(field), is_optional(field)
        given = [values["const"]] if "const" in values else values.get("enum")
        assert given == ([*allowed, *[None] * optional] if allowed else None)
        assert ("null" in place["type"]) == optional


def test_the_schema_names_the_types_of_json() -> None:
    groups = json_schema(Parameters)["properties"]
    assert groups["embed"]["properties"]["d_model"]["type"] == "integer"
    assert groups["export"]["properties"]["license"]["type"] == ["string", "null"]
    files = groups["ingest"]["properties"]["files"]["properties"]
    assert files["train"]["items"] == {"type": "string"}
    assert files["group_column"]["type"] == ["string", "integer", "null"]
    assert groups["train_decoder"]["properties"]["training"]["properties"]["clip_norm"]["type"] == ["number", "null"]
    assert groups["tokenize"]["properties"]["target"]["oneOf"][-1] == {"type": "null"}
    assert "$ref" not in str(groups)
    assert "title" not in str(groups)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train_encoder.num_heads", 3,
         "params: train_encoder.num_heads is 3, which does not divide d_model (128) of embed"),
        ("model.num_heads", 3, "params: model.num_heads is 3, which does not divide d_model (128) of embed"),
        ("tokenize.target", {"kind": "char", "case": "keep", "normalisation": "none"},
         "params: vocab.shared is true, but tokenize.target is a tokenizer of its own; set vocab.shared to false"),
        ("tokenize.source", {"kind": "sentencepiece", "case": "keep", "normalisation": "none", "vocabulary_size": 99,
                             "model_type": "bpe", "path": None},
         "params: export.formats has huggingface, but tokenize.source.kind 'sentencepiece' cannot be expressed there"),
        ("tokenize.source.case", "true",
         "params: export.formats has huggingface, but tokenize.source.case 'true' cannot be expressed there"),
        ("embed.d_model", 129, "params: embed: d_model is 129; sinusoidal positions need an even number"),
        ("ingest.source", "lines", "params: ingest: source is 'lines' but files.train is empty"),
        ("train_decoder.training.clip_norm", 0,
         "params: train_decoder.training.clip_norm is 0; the minimum is 1e-06, or null: no clipping"),
        ("embed.seed", 2**63, "params: embed.seed is 9223372036854775808; the maximum is 9223372036854775807"),
        ("train_encoder.training.seed", 2**70, "params: train_encoder.training.seed is 11805916207174"),
        ("translate.max_length_ratio", 1e18, "params: translate.max_length_ratio is 1e+18; the maximum is 1000"),
        ("translate.max_length_offset", 2**70, "params: translate.max_length_offset is 11805916207174"),
        ("train_decoder.training.batch_tokens", 2**70, "params: train_decoder.training.batch_tokens is 11805916207174"),
        ("tokenize.source.vocabulary_size", 10**9,
         "params: tokenize.source.vocabulary_size is 1000000000; the maximum is 1000000"),
        ("embed.d_model", 10**9, "params: embed.d_model is 1000000000; the maximum is 65536"),
        ("train_decoder.num_layers", 10**6, "params: train_decoder.num_layers is 1000000; the maximum is 1000"),
    ],
)  # fmt: skip
def test_impossible_values_and_combinations(path: str, value: object, message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        check(changed(path, value))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("group", "name", "value", "message"),
    [
        ("train_encoder", "way", "joint", "but train_encoder.way 'joint' trains the encoder from the start"),
        ("train_encoder", "objective", "none", "but train_encoder.objective is 'none', which leaves nothing to train"),
        ("train_decoder", "memory_dropout", 0.1, "but train_decoder.memory_dropout is 0.1, which acts only on saved"),
        ("encode", "dropout_copies", 2, "but encode.dropout_copies is 2, which acts only on saved encoder output"),
    ],
)
def test_an_encoder_is_finetuned_only_after_its_own_training_and_without_memory(
    group: str, name: str, value: object, message: str
) -> None:
    values = changed("train_decoder.finetune_encoder", True)
    check(values)
    values[group][name] = value
    with pytest.raises(StageformerError) as caught:
        check(values)
    assert str(caught.value).startswith(f"params: train_decoder.finetune_encoder is true, {message}")
    values["train_decoder"]["finetune_encoder"] = False
    check(values)


@pytest.mark.parametrize("number", [2, "2"])
def test_the_columns_of_a_table_are_numbers_or_their_text(number: object) -> None:
    values = changed("ingest.source", "tsv")
    values["ingest"]["files"] |= {
        "train": ["a.tsv"], "source_column": number, "target_column": 1, "group_column": number,
    }  # fmt: skip
    files = check(values).ingest.files
    assert (files.source_column, files.target_column, files.group_column) == ("2", "1", "2")
    values["ingest"]["files"]["source_column"] = 0
    with pytest.raises(StageformerError, match=r"files\.source_column is '0'; tsv needs the number of the column"):
        check(values)
