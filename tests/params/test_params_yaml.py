"""``params.yaml`` as code: complete, commented from its classes, and the same in every notation."""

from __future__ import annotations

import copy
import dataclasses
import re
import shutil
import subprocess
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stageformer.errors import StageformerError
from stageformer.params.groups import GROUPS, check
from stageformer.params.reading import read_yaml
from stageformer.params.render import describe, render
from stageformer.params.schema import json_schema

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "recipes/default.yaml"


def leaves(cls: type, prefix: str) -> Iterator[tuple[str, dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            yield from leaves(typing.cast(type, kind), f"{prefix}.{field.name}")
        else:
            yield f"{prefix}.{field.name}", field, kind


ALL = [leaf for name, cls in GROUPS.items() for leaf in leaves(cls, name)]


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


def test_every_key_stands_under_its_comment() -> None:
    # The text is what the classes make of the values; if it is not, run `make deps`.
    assert DEFAULT.read_text(encoding="utf-8") == render(GROUPS, read_yaml(DEFAULT))


def test_the_comments_are_in_the_file_word_for_word() -> None:
    lines = [line.strip() for line in DEFAULT.read_text(encoding="utf-8").splitlines()]
    words = " ".join(re.sub("^# ?", "", line) for line in lines)
    for path, field, kind in ALL:
        assert f"{describe(field, kind)} {path.split('.')[-1]}:" in words, path


def test_no_default_hides_in_a_class() -> None:
    for path, field, _ in ALL:
        assert field.default is dataclasses.MISSING, path
        assert field.default_factory is dataclasses.MISSING, path
        assert field.metadata["doc"], path


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

    return YAML(typ="safe", pure=True).load(render(GROUPS, values))


def test_the_schema_has_every_key_with_its_description_and_limits() -> None:
    schema = json_schema(GROUPS)
    for path, field, kind in ALL:
        place: Any = schema
        for key in path.split("."):
            assert place["additionalProperties"] is False
            assert key in place["required"]
            place = place["properties"][key]
        assert place["description"] == field.metadata["doc"]
        assert place.get("minimum") == field.metadata["minimum"]
        assert place.get("maximum") == field.metadata["maximum"]
        choices, optional = field.metadata["choices"], type(None) in typing.get_args(kind)
        values = place.get("items", place)  # of a list, each item is one of the choices
        assert values.get("enum") == ([*choices, *[None] * optional] if choices else None)
        assert ("null" in place["type"]) == optional


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train_encoder.num_heads", 3, "params: train_encoder.num_heads is 3, which does not divide embed.d_model"),
        ("tokenize.joint", False, "params: vocab.shared needs tokenize.joint"),
        ("embed.d_model", 129, "params: embed: d_model is 129; sinusoidal positions need an even number"),
        ("ingest.source", "lines", "params: ingest: source is 'lines' but files.train is empty"),
    ],
)
def test_impossible_combinations(path: str, value: object, message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        check(changed(path, value))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("group", "name", "value", "message"),
    [
        ("train_encoder", "way", "joint", "but train_encoder.way 'joint' trains the encoder from the start"),
        ("train_encoder", "objective", "none", "but train_encoder.objective is 'none', which leaves nothing to train"),
        ("train_decoder", "memory_dropout", 0.1, "but train_decoder.memory_dropout is 0.1, and acts on saved encoder"),
        ("encode", "dropout_copies", 2, "but encode.dropout_copies is 2, and acts on saved encoder output"),
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
