"""What Hypothesis makes files of: values, damage, changes and tables; the examples are the same in every run.

`make attack` makes fifty times as many (``FUZZ``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from stageformer.artifacts.tables import SCHEMAS
from stageformer.console.output import clean
from stageformer.errors import StageformerError

EXAMPLES = int(os.environ.get("FUZZ", "1")) * 10
fuzzed = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

TEXT = st.text(max_size=12) | st.sampled_from(["", "id", "source", "kind", "\x1b[31m", "\ud800", "../x", "-1", "nan"])
NUMBER = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, float("nan"), -0.0])
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
"""Whatever JSON, YAML and metadata may hold."""


def one_line(call: Callable[[], Any]) -> Any:
    """Return what a reader gives; None if it refuses in words of ours. Any other error is a fault."""
    try:
        return call()
    except StageformerError as error:
        said = clean(str(error)).strip()
    assert said
    return None


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Return content with some bytes changed, added or left out."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(found) - 1)))
        what = draw(st.sampled_from(["flip", "cut", "add", "drop", "repeat"]))
        if what == "flip" and found:
            found[place] ^= draw(st.integers(1, 255))
        elif what == "cut":
            del found[place:]
        elif what == "add":
            found[place:place] = draw(st.binary(min_size=1, max_size=8))
        elif what == "drop":
            del found[place : place + draw(st.integers(1, 64))]
        else:
            found[place:place] = found[place : place + 32]
    return bytes(found)


@st.composite
def changed(draw: st.DrawFn, values: Any) -> Any:
    """Return nested lists and dicts in which one value is another one, is missing, or has another name."""
    copy = json.loads(json.dumps(values))
    places = [(copy, key) for key in _keys(copy)]
    for holder, key in list(places):
        places += [(holder[key], inner) for inner in _keys(holder[key])]
        places += [
            (holder[key][inner], last) for inner in _keys(holder[key]) for last in _keys(holder[key][inner])
        ]
    holder, key = draw(st.sampled_from(places))
    what = draw(st.sampled_from(["set", "set", "set", "drop", "rename"]))
    if what == "set":
        holder[key] = draw(PLAIN)
    elif what == "drop" or isinstance(holder, list):
        del holder[key]
    else:
        holder[draw(TEXT)] = holder.pop(key)
    return copy


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5) | st.none(),
    "int32": st.integers(-(2**31), 2**31 - 1) | st.none(),
    "string": st.text(st.characters(codec="utf-8"), max_size=5) | st.none(),
    "double": st.floats() | st.none(), "float": st.floats(width=32) | st.none(), "bool": st.booleans() | st.none(),
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn, kind: str) -> pa.Table:
    """Return a table of a kind whose rows are anything that its types allow, nulls among it."""
    rows = draw(st.integers(0, 4))
    columns = {}
    for field in SCHEMAS[kind]:
        inner = field.type.value_type if pa.types.is_list(field.type) else field.type
        value = VALUES[str(inner)]
        value = st.lists(value, max_size=3) | st.none() if pa.types.is_list(field.type) else value
        columns[field.name] = pa.array(draw(st.lists(value, min_size=rows, max_size=rows)), field.type)
    header = draw(st.just({"kind": kind, "schema_version": 1}) | changed({"kind": kind, "schema_version": 1}))
    schema = SCHEMAS[kind].with_metadata({"stageformer": json.dumps(header)})
    return pa.Table.from_arrays(list(columns.values()), schema=schema)
