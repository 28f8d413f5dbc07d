"""A training that was stopped resumes from its checkpoint and ends with the same bits."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from stageformer.artifacts.files import atomic_file
from stageformer.artifacts.scratch import scratch_folder
from stageformer.batching.pairs import Pairs
from stageformer.building.weights import weights_of
from stageformer.errors import StageformerError
from stageformer.model.transformer import Transformer
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.provenance.fingerprint import training_fingerprint
from stageformer.training import checkpoints as module
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.loop import train
from stageformer.training.state import Progress
from stageformer.training.tasks.translation import TranslationTask

Corpus = Callable[..., dict[str, Pairs]]
MakeModel = Callable[..., Transformer]
MakeTraining = Callable[..., Training]
Logged = list[tuple[int, Mapping[str, float]]]
CPU = torch.device("cpu")


class Run(NamedTuple):
    """What a training left."""

    metrics: dict[str, float]
    weights: dict[str, Tensor]


class Killed(BaseException):
    """As if the process had been killed."""


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A scratch folder of the test's own, and a checkpoint after every update."""
    monkeypatch.setenv("STAGEFORMER_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr(Checkpoints, "due", lambda _: True)
    return tmp_path / "scratch"


@pytest.fixture
def run(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, compute: Compute
) -> Callable[..., Run]:
    """Train a toy model from its start, or from the newest checkpoint; killed after so many updates where asked."""
    splits = copy_corpus()
    params = training(max_updates=12, validate_every=3, average_checkpoints=3, batch_tokens=700)

    def start(
        checkpoints: Checkpoints | None, logged: Logged | None = None, killed_at: int | None = None, **changes: object
    ) -> Run:
        model = transformer(seed=7, dropout=0.2)

        def log(update: int, values: Mapping[str, float]) -> None:
            if update == killed_at:
                raise Killed
            if logged is not None:
                logged.append((update, values))

        used = training(**(vars(params) | changes))
        task = TranslationTask(model, splits, 0, CPU, used.label_smoothing)
        outcome = train(task, used, compute, log, "toy", checkpoints=checkpoints)
        return Run(outcome.metrics, weights_of(model))

    return start


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


KEPT = ["last", "best", "average", "average_best"]
UNSTEADY = {"learning_rate": 0.3, "average_checkpoints": 2}
"""the second of four validations is the best, the last the second best"""


def test_what_is_kept_is_another_model_each_time(run: Callable[..., Run]) -> None:
    runs = {keep: run(None, keep=keep, **UNSTEADY) for keep in KEPT}
    assert [runs[keep].metrics["kept_update"] for keep in KEPT] == [12, 6, 12, 12]
    assert len({runs[keep].metrics["valid_loss"] for keep in KEPT}) == 4
    assert runs["best"].metrics["valid_loss"] == runs["last"].metrics["best_valid_loss_of_a_checkpoint"]


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
@pytest.mark.parametrize("keep", KEPT)
@pytest.mark.parametrize("killed_at", [[3], [6, 9], [3, 6, 12]])
def test_killed_and_resumed_equals_uninterrupted(
    run: Callable[..., Run], killed_at: list[int], keep: str, optimizer: str
) -> None:
    changes = {"keep": keep, "optimizer": optimizer, **UNSTEADY}
    expected_log: Logged = []
    expected = run(None, expected_log, **changes)
    for update in killed_at:
        with pytest.raises(Killed):
            run(Checkpoints("toy", "f"), killed_at=update, **changes)
    logged: Logged = []
    resumed = run(Checkpoints("toy", "f"), logged, **changes)
    assert same(expected.weights, resumed.weights)
    assert resumed.metrics == expected.metrics
    assert logged == expected_log


def test_resuming_at_the_end_changes_nothing(run: Callable[..., Run]) -> None:
    expected = run(Checkpoints("toy", "f"))
    again = run(Checkpoints("toy", "f"))
    assert same(expected.weights, again.weights)
    assert again.metrics == expected.metrics


def test_patience_that_ran_out_stays_so(run: Callable[..., Run]) -> None:
    changes = {"learning_rate": 0.0, "patience": 1}
    expected = run(None, **changes)
    assert expected.metrics["updates"] == 6  # the second validation is no better than the first
    run(Checkpoints("toy", "f"), **changes)
    assert run(Checkpoints("toy", "f"), **changes).metrics == expected.metrics


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_leaves(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    expected = run(None)
    learnt = Progress.learnt

    def send(self: Progress, loss: float, tokens: int) -> None:
        learnt(self, loss, tokens)
        if self.update == 5:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "learnt", send)
        patched.setattr(Checkpoints, "due", lambda _: False)
        with pytest.raises(SystemExit) as left:
            run(Checkpoints("toy", "f"))
    assert left.value.code == 128 + number
    assert [path.name for path in scratch_folder().glob("*/*")] == ["update-000000005.pt"]
    assert same(run(Checkpoints("toy", "f")).weights, expected.weights)


def test_two_are_kept(run: Callable[..., Run], scratch: Path) -> None:
    run(Checkpoints("toy", "f"))
    assert [path.name for path in sorted((scratch / "toy-f").iterdir())] == [
        "update-000000011.pt", "update-000000012.pt",
    ]  # fmt: skip


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign"])
def test_a_damaged_one_is_skipped_with_a_warning(
    run: Callable[..., Run], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    expected = run(None)
    with pytest.raises(Killed):
        run(Checkpoints("toy", "f"), killed_at=9)
    path = Checkpoints("toy", "f").last_path()
    assert path is not None
    assert path.name == "update-000000008.pt"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if damage == "foreign":
        Checkpoints("toy", "g").write(Progress(update=8), {"weights/x": torch.zeros(1)})
        os.replace(Checkpoints("toy", "g").folder / path.name, path)
    capsys.readouterr()
    resumed = run(Checkpoints("toy", "f"))
    warned = capsys.readouterr().err
    assert "warning: checkpoint skipped:" in warned
    assert "resuming after update 7 of 12" in warned
    assert same(expected.weights, resumed.weights)


def test_all_damaged_starts_over(run: Callable[..., Run], scratch: Path) -> None:
    expected = run(None)
    with pytest.raises(Killed):
        run(Checkpoints("toy", "f"), killed_at=9)
    for path in (scratch / "toy-f").iterdir():
        path.write_bytes(b"")
    assert same(run(Checkpoints("toy", "f")).weights, expected.weights)


def test_divergence_names_the_last_good_checkpoint(run: Callable[..., Run]) -> None:
    with pytest.raises(StageformerError, match=r"the last good checkpoint is .*toy-f/update-\d+\.pt"):
        run(Checkpoints("toy", "f"), learning_rate=10, clip_norm=None, max_updates=50)


def test_writing_keeps_to_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real `due`
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    checkpoints = Checkpoints("toy", "f")
    monkeypatch.setattr(module, "write_tensors", lambda *_: now.__setitem__(0, now[0] + 2.0))
    written = 0
    while now[0] < 10_100:
        if checkpoints.due():
            checkpoints.write(Progress(), {})
            written += 1
        now[0] += 1.0
    assert 20 <= written <= 25  # at 2 s each within 0.5 % of 10,000 s
    assert not checkpoints.folder.exists()


def test_the_first_is_written_at_once() -> None:
    assert Checkpoints("toy", "f").due()


def test_the_fingerprint_is_of_parameters_inputs_and_processes(
    training: MakeTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "vocab"
    (folder / "below").mkdir(parents=True)
    file = folder / "below" / "ids.parquet"
    file.write_bytes(b"1")
    torch.save({"x": torch.zeros(3)}, tmp_path / "e.pt")

    def now(**changes: object) -> str:
        return training_fingerprint([training(**changes)], [folder, tmp_path / "e.pt"])

    seen = [now()]
    assert now() == seen[0]
    seen.append(now(seed=2))
    file.write_bytes(b"2")
    seen.append(now())
    file.rename(folder / "other.parquet")
    seen.append(now())
    torch.save({"x": torch.ones(3)}, tmp_path / "e.pt")
    seen.append(now())
    monkeypatch.setenv("WORLD_SIZE", "2")
    seen.append(now())
    monkeypatch.setattr(torch, "__version__", "0.0")
    seen.append(now())
    assert len(set(seen)) == len(seen) == 7



def test_an_equal_training_that_ends_does_not_disturb_one_that_is_writing(scratch: Path) -> None:
    ended, writing = Checkpoints("toy", "f" * 64), Checkpoints("toy", "f" * 64)
    path = ended.write(Progress(update=3), {"weight": torch.ones(2)})
    left_over = path.with_name(f".{path.name}.{os.uname().nodename}-{2**22 + 1}.partial")  # no process has this number
    left_over.touch()
    with atomic_file(path.with_name("update-000000004.pt")) as file:
        file.write(b"half")
        ended.remove()
    assert [path.name for path in path.parent.iterdir()] == ["update-000000004.pt"]
    writing.write(Progress(update=5), {"weight": torch.ones(2)})
    writing.remove()
    ended.remove()
    assert not scratch.exists()


@pytest.mark.parametrize("place", ["a file", "a file/deeper", "a file/.cache/stageformer"])
def test_a_scratch_folder_that_cannot_be_is_found_before_the_first_update(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    """Root may write everywhere but below a file."""
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("STAGEFORMER_SCRATCH", str(tmp_path / place))
    checkpoints = Checkpoints("train_encoder", "f" * 32)
    for attempt in (checkpoints.check_writable, lambda: checkpoints.write(Progress(), {})):
        with pytest.raises(StageformerError) as caught:
            attempt()
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / place}/train_encoder-")
        assert ": cannot be written: a part of its path is not a folder; name a folder for checkpoints in " in message
        assert message.endswith(" the environment variable STAGEFORMER_SCRATCH")
        assert "\n" not in message
    assert (tmp_path / "a file").read_text() == ""


def test_a_user_without_a_home_is_told_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def home(*_: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("STAGEFORMER_SCRATCH")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(StageformerError, match=r"^there is no home folder .* STAGEFORMER_SCRATCH$"):
        Checkpoints("train_encoder", "f" * 32)


def test_checking_leaves_nothing(scratch: Path) -> None:
    Checkpoints("train_encoder", "f" * 32).check_writable()
    assert not scratch.exists()
