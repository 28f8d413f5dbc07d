"""Artifacts made up by Hypothesis: each reader gives what was written, or refuses in one line, and nothing else."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stageformer.artifacts.tables import SCHEMAS, describe_table, open_table, read_table
from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.building.model_files import load_model
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.state import Progress
from tests.attacks.fuzzing import changed, damaged, fuzzed, one_line, tables

# Tables


def _finite(column: Any) -> bool:
    values = [item for value in column.to_pylist() for item in (value if isinstance(value, list) else [value])]
    return all(math.isfinite(value) for value in values if isinstance(value, float))


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_tables(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"

    @fuzzed
    @given(tables(kind))
    def check_one(table: pa.Table) -> None:
        pq.write_table(table, path)
        found = one_line(lambda: read_table(path, kind))
        if found is not None:  # then it holds what was written, without a null anywhere
            assert found.equals(table)
            assert describe_table(open_table(path))["kind"] == kind
            assert all(not column.null_count for column in found.columns)
            assert all(map(_finite, table.columns))
            assert len(set(found["id"].to_pylist())) == len(found)

    check_one()


@pytest.mark.parametrize("kind", ["ids", "sentences"])
def test_damaged_tables(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    schema = SCHEMAS[kind].with_metadata({"stageformer": json.dumps({"kind": kind, "schema_version": 1})})
    rows = [
        {"id": row, "source": f"s{row}", "target": "t", "references": ["t"], "group": "", "source_ids": [4, row],
         "target_ids": [2, 3]} for row in range(30)
    ]  # fmt: skip
    table = pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in rows], schema=schema)
    file = io.BytesIO()
    pq.write_table(table, file, write_page_checksum=True)

    @fuzzed
    @given(damaged(file.getvalue()))
    def check_one(content: bytes) -> None:
        path.write_bytes(content)
        one_line(lambda: read_table(path, kind))

    check_one()


# Tensors

NUMBERS = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def test_tensors(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    whole = {"kind": "model", "schema_version": 1, "metadata": {"a": [1, {"b": 2}]}}

    @fuzzed
    @given(changed(whole), st.sampled_from(["dict", "list", "int", "missing", "names"]))
    def check_one(content: dict[str, Any], tensors: str) -> None:
        held: Any = {"dict": {"w": NUMBERS}, "list": [NUMBERS], "int": {"w": 3}, "names": {3: NUMBERS}}.get(tensors)
        if tensors != "missing":
            content["tensors"] = held
        torch.save(content, path)
        found = one_line(lambda: read_tensors(path, "model"))
        if found is not None:
            assert (content["kind"], content["schema_version"]) == ("model", 1)
            assert torch.equal(found.tensors["w"], NUMBERS)

    check_one()


def test_damaged_tensors(tmp_path: Path) -> None:
    """A changed byte is found, or is one that holds no number: what is read is what was written."""
    path = tmp_path / "x.pt"
    write_tensors(path, "model", {"w": NUMBERS}, {"a": 1})
    whole = path.read_bytes()

    @fuzzed
    @given(damaged(whole))
    def check_one(content: bytes) -> None:
        path.write_bytes(content)
        found = one_line(lambda: read_tensors(path, "model"))
        if found is not None:
            assert torch.equal(found.tensors["w"], NUMBERS)
            assert found.metadata == {"a": 1}

    check_one()


def test_models(toy_root: Path, tmp_path: Path) -> None:
    """A configuration in which one value is another one is refused, or is that of the weights."""
    path = tmp_path / "model.pt"
    whole = torch.load(toy_root / "data/train_decoder/model.pt", weights_only=True)
    sizes = {name: tensor.shape for name, tensor in whole["tensors"].items()}

    @fuzzed
    @given(changed(whole["metadata"]))
    def check_one(metadata: dict[str, Any]) -> None:
        torch.save(whole | {"metadata": metadata}, path)
        found = one_line(lambda: load_model(path))
        if found is not None:
            assert {name: parameter.shape for name, parameter in found[0].named_parameters()}.keys() <= sizes.keys()

    check_one()


# Checkpoints

PROGRESS = Progress(
    update=3, epoch=0, batch=3, history=[(2, {"valid_loss": 1.5, "train_loss": 2.0})], best_valid_loss=1.5
)


@fuzzed
@given(changed(json.loads(json.dumps(PROGRESS.to_dict()))))
def test_progress(values: Any) -> None:
    """What a checkpoint says of its training, with one value changed, is taken as it is or refused as wrong."""
    try:
        found = Progress.from_dict(values)
    except ValueError:
        return
    assert json.loads(json.dumps(found.to_dict())) == values


def test_damaged_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint with other bytes is the one that was written, or the one before it is taken."""
    monkeypatch.setenv("STAGEFORMER_SCRATCH", str(tmp_path))
    checkpoints = Checkpoints("x", "f" * 64)
    first = replace(PROGRESS, update=2, batch=2)
    for progress in (first, PROGRESS):
        newest = checkpoints.write(progress, {"weights/w": NUMBERS * progress.update})
    whole = newest.read_bytes()

    @fuzzed
    @given(damaged(whole))
    def check_one(content: bytes) -> None:
        newest.write_bytes(content)
        found = checkpoints.newest(lambda progress, tensors: None, quiet=True)
        assert found is not None
        assert found[0] in (first, PROGRESS)
        assert torch.equal(found[1]["weights/w"], NUMBERS * found[0].update)

    check_one()
