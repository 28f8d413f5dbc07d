"""Each logger with its real package and without a network: what it wrote is read back."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from stageformer.compute.processes import Processes
from stageformer.params.choices import kinds
from stageformer.params.groups import Parameters, check
from stageformer.params.logging import Logging
from stageformer.params.reading import read_yaml
from stageformer.provenance.code import manifests
from stageformer.training.curves import curves
from stageformer.training.loggers.base import logger_class

ROOT = Path(__file__).parents[2]
CURVES = {1: {"train_loss": 3.5, "learning_rate": 0.25}, 2: {"train_loss": 2.25}}
PARAMETERS = {"max_updates": 2, "schedule": "linear"}


def log(name: str, folder: Path) -> None:
    logger = logger_class(name)("train_encoder", folder, "our project", PARAMETERS)
    for update, values in CURVES.items():
        logger.log(update, values)
    logger.close()


def test_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log("tensorboard", tmp_path)
    (run,) = (tmp_path / "tensorboard/train_encoder").iterdir()
    events = EventAccumulator(str(run))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train_loss")] == [(1, 3.5), (2, 2.25)]
    assert [(event.step, event.value) for event in events.Scalars("learning_rate")] == [(1, 0.25)]
    assert events.Tags()["tensors"] == ["parameters/text_summary"]


def records(content: bytes, header: int = 7, block: int = 32 * 1024) -> Iterator[bytes]:
    """The records of a file of Weights & Biases: a log of LevelDB, which cuts them to fit its blocks."""
    place, parts = header, b""
    while place + 7 <= len(content):
        if block - place % block < 7:
            place += block - place % block
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def test_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    log("wandb", tmp_path)
    (run,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")

    def read() -> list[wandb_internal_pb2.Record]:
        return [wandb_internal_pb2.Record.FromString(data) for data in records(run.read_bytes())]

    # The process of Weights & Biases that writes the file may still be at it when the run is finished.
    deadline = time.monotonic() + 60
    while not any(record.WhichOneof("record_type") == "exit" for record in read()):
        assert time.monotonic() < deadline, "the run has no end"
        time.sleep(0.1)
    found, config = {}, {}
    for record in read():
        if record.WhichOneof("record_type") == "history":
            values = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            found[values["_step"]] = {name: value for name, value in values.items() if not name.startswith("_")}
        if record.WhichOneof("record_type") == "run":
            config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
            assert (record.run.project, record.run.display_name) == ("our project", "train_encoder")
    assert found == CURVES
    assert config.items() >= PARAMETERS.items()


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log("mlflow", tmp_path)
    log("mlflow", tmp_path)
    client = MlflowClient(tracking_uri=(tmp_path / "mlflow").as_uri())
    experiment = client.get_experiment_by_name("our project")
    runs = client.search_runs([experiment.experiment_id])
    assert [(run.info.run_name, run.info.status) for run in runs] == [("train_encoder", "FINISHED")] * 2
    for run in runs:
        history = client.get_metric_history(run.info.run_id, "train_loss")
        assert [(metric.step, metric.value) for metric in history] == [(1, 3.5), (2, 2.25)]
        assert run.data.params == {name: str(value) for name, value in PARAMETERS.items()}


def test_the_curves_go_to_dvclive_and_to_every_logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    files = []
    for loggers in ([], ["tensorboard"]):
        reports = tmp_path / f"reports-{len(loggers)}"
        logging = Logging(loggers=loggers, project="p", folder=str(tmp_path / "logs"))
        with curves(reports, Processes(0, 1, torch.device("cpu")), "train_decoder", logging, PARAMETERS) as tell:
            for update, values in CURVES.items():
                tell(update, values)
        files.append({path.relative_to(reports): path.read_bytes() for path in reports.rglob("*.tsv")})
    assert files[0] == files[1] != {}, "what DVC sees does not depend on the loggers"
    assert len(list((tmp_path / "logs/tensorboard/train_decoder").iterdir())) == 1


def test_a_logger_reruns_nothing() -> None:
    values = read_yaml(ROOT / "recipes/default.yaml")
    changed = values | {"logging": {"loggers": kinds("stageformer.training.loggers"), "project": "x", "folder": "y"}}
    check(changed)
    assert manifests(ROOT, changed) == manifests(ROOT, values)
    listed = [name for stage in read_yaml(ROOT / "dvc.yaml")["stages"].values() for name in stage.get("params", [])]
    assert "train_encoder" in listed
    assert not [name for name in listed if name.startswith("logging")]
    assert "logging" in Parameters.model_fields
