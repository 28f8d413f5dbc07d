from __future__ import annotations

import json
from pathlib import Path

import pytest

from stageformer.corpus.sources.base import Record, Rejected
from stageformer.corpus.sources.homeassistant import HomeAssistantSource
from stageformer.errors import StageformerError

TREES = {
    ("zoo", "en"): {"b": {"y": "Yes", "x": "No"}, "a": "Only English", "n": 3},
    ("zoo", "de"): {"b": {"x": "Nein", "y": "Ja"}, "z": "Nur deutsch"},
    ("abode", "en"): {"a": "Open", "b": "[%key:common::x%]", "c": "Lone"},
    ("abode", "de"): {"a": "Offen", "b": "B", "c": "\ud800"},
    ("abode", "es"): {"a": "Abierto"},
}


@pytest.fixture
def wheel(make_wheel) -> Path:
    files = {
        f"homeassistant/components/{component}/translations/{language}.json": json.dumps(tree)
        for (component, language), tree in TREES.items()
    }
    files["homeassistant/components/zoo/strings.json"] = json.dumps({"a": "not a translation"})
    return make_wheel(files)


def test_pairs_equal_key_paths_in_sorted_order(wheel: Path) -> None:
    assert list(HomeAssistantSource(wheel, "en", "de")) == [
        Record("Open", "Offen", "abode", "abode: a"),
        Rejected("reference", "abode: b", None, "[%key:common::x%]"),
        Rejected("not_utf8", "abode: c", None),
        Rejected("untranslated", "zoo: a", None, "Only English"),
        Record("No", "Nein", "zoo", "zoo: b.x"),
        Record("Yes", "Ja", "zoo", "zoo: b.y"),
    ]


def test_one_language_alone_has_all_its_strings(wheel: Path) -> None:
    assert list(HomeAssistantSource(wheel, "en", None)) == [
        Record("Open", "", "abode", "abode: a"),
        Rejected("reference", "abode: b", None, "[%key:common::x%]"),
        Record("Lone", "", "abode", "abode: c"),
        Record("Only English", "", "zoo", "zoo: a"),
        Record("No", "", "zoo", "zoo: b.x"),
        Record("Yes", "", "zoo", "zoo: b.y"),
    ]


def test_component_without_the_language_is_counted_as_untranslated(wheel: Path) -> None:
    records = list(HomeAssistantSource(wheel, "en", "es"))
    assert records[0] == Record("Open", "Abierto", "abode", "abode: a")
    assert [record.reason for record in records if isinstance(record, Rejected)] == ["untranslated"] * 5


def test_unknown_language_lists_the_available(wheel: Path) -> None:
    with pytest.raises(StageformerError, match=r"target_language is 'dee' \(did you mean 'de'\?\).* has de, en, es"):
        list(HomeAssistantSource(wheel, "en", "dee"))
    with pytest.raises(StageformerError, match="source_language and target_language are both 'de'"):
        list(HomeAssistantSource(wheel, "de", "de"))
    same = list(HomeAssistantSource(wheel, "en", "en", drop_equal=False))
    assert same[0] == Record("Open", "Open", "abode", "abode: a")
    assert len([record for record in same if isinstance(record, Record)]) == 5


def test_damaged_wheel(wheel: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.whl"
    cut.write_bytes(wheel.read_bytes()[:100])
    with pytest.raises(StageformerError, match=r"cut\.whl: damaged"):
        list(HomeAssistantSource(cut, "en", "de"))
    with pytest.raises(StageformerError, match="no such file"):
        list(HomeAssistantSource(tmp_path / "none.whl", "en", "de"))


def test_the_kind_of_string_is_its_label(make_wheel) -> None:
    tree = {
        "entity": {"sensor": {"x": {"name": "Heat", "state": {"on": "On"}}}},
        "config": {
            "step": {"user": {"title": "Login", "description": "Enter", "data": {"host": "Host"}}},
            "error": {"unknown": "Unknown"},
            "flow_title": "{name}",
        },
        "services": {"go": {"name": "Go", "fields": {"to": {"name": "To", "description": "Where to"}}}},
        "selector": {"mode": {"options": {"a": "Auto"}}},
        "device_automation": {"trigger_type": {"on": "Turned on"}},
        "exceptions": {"bad": {"message": "Bad"}},
        "title": "Zoo",
    }
    wheel = make_wheel({"homeassistant/components/zoo/translations/en.json": json.dumps(tree)})
    found = list(HomeAssistantSource(wheel, "en", None, "one"))
    assert {record.source: record.labels for record in found if isinstance(record, Record)} == {
        "Heat": ("name",), "On": ("state",), "Login": ("title",), "Enter": ("description",), "Host": ("label",),
        "Unknown": ("error",), "Go": ("name",), "To": ("label",), "Where to": ("description",), "Auto": ("option",),
        "Turned on": ("automation",), "Bad": ("error",), "Zoo": ("title",),
    }  # fmt: skip
    assert [record for record in found if isinstance(record, Rejected)] == [
        Rejected("label", "zoo: config.flow_title", None, "{name}")
    ]
