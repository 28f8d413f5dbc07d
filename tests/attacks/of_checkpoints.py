"""Checkpoints with the right fingerprint and wrong content: the one before it is taken, or the training starts anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.harness import Attack, Outcome, attacks
from tests.attacks.making import DROP, Change

STAGE = "stages.train_encoder"


def _with_checkpoints(change: Callable[[Any], Any] | None, *, of_both: bool = False) -> Callable[[Path], None]:
    """Run the training with a checkpoint at every update and without its end; change the newest."""

    def prepare(root: Path) -> None:
        import os

        import torch
        from click.testing import CliRunner

        from stageformer.training.checkpoints import Checkpoints
        from stages.train_encoder import main

        due, remove = Checkpoints.due, Checkpoints.remove
        Checkpoints.due, Checkpoints.remove = (lambda self: True), (lambda self: None)  # type: ignore[method-assign]
        try:
            assert CliRunner().invoke(main, []).exit_code == 0
        finally:
            Checkpoints.due, Checkpoints.remove = due, remove  # type: ignore[method-assign]
        shutil.copy(root / "data/train_encoder/encoder.pt", root / "wanted.pt")
        paths = sorted(Path(os.environ["STAGEFORMER_SCRATCH"]).glob("train_encoder-*/update-*.pt"))
        assert len(paths) == 2, paths
        for path in paths if of_both else paths[-1:]:
            if change is not None:
                content = torch.load(path, weights_only=True)
                changed = change(content)
                torch.save(content if changed is None else changed, path)

    return prepare


def _same_weights(outcome: Outcome) -> bool:
    """Whatever is skipped, the result has the bits of a training that nothing happened to, and a warning says so."""
    wanted, found = outcome.folder / "wanted.pt", outcome.folder / "data/train_encoder/encoder.pt"
    return wanted.read_bytes() == found.read_bytes() and "warning: checkpoint skipped" in outcome.stderr


def _set(key: str, value: Any) -> Change:
    def change(content: Any) -> None:
        *groups, leaf = key.split(".")
        place = content["metadata"]
        for group in groups:
            place = place[group]
        if value is DROP:
            del place[leaf]
        else:
            place[leaf] = value

    return change


def _tensors(change: Callable[[dict[str, Any], str], Any], prefix: str) -> Change:
    def changed(content: Any) -> None:
        found = content["tensors"]
        change(found, next(name for name in sorted(found) if name.startswith(prefix)))

    return changed


CHANGES: dict[str, Change] = {
    **{
        f"{key} {'DROP' if value is DROP else repr(value)}": _set(f"progress.{key}", value)
        for key, values in {
            "update": [DROP, "x", None, -1, 10**12, 2.5, True],
            "history": [
                DROP, ["a", "b"], None, [[1, {}]], [["x", {"valid_loss": 1.0}]], [[3, {"valid_loss": "x"}]], {},
            ],
            "epoch": [-1, "x", None], "batch": [-1, 10**9, "x"], "best_valid_loss": ["x", None],
            "validations_since_best": [None, -3], "loss_since_validation": ["x", float("nan")], "num_targets": [[], -1],
            "targets_since_validation": [None, -7],
        }.items() for value in values
    },
    "no progress": _set("progress", DROP), "progress None": _set("progress", None), "progress []": _set("progress", []),
    "one number too many": _set("progress.more", 1),
    "no weights": lambda c: [c["tensors"].pop(n) for n in list(c["tensors"]) if n.startswith("weights/")] and None,
    "no optimizer": lambda c: [c["tensors"].pop(n) for n in list(c["tensors"]) if n.startswith("optimizer/")] and None,
    "no kept": lambda c: [c["tensors"].pop(n) for n in list(c["tensors"]) if n.startswith("kept/")] and None,
    "a weight less": _tensors(lambda t, name: t.pop(name), "weights/"),
    "a moment less": _tensors(lambda t, name: t.pop(name), "optimizer/"),
    "a weight more": _tensors(lambda t, name: t.update({"weights/x": t[name]}), "weights/"),
    "a weight of another shape": _tensors(lambda t, name: t.update({name: t[name][:1]}), "weights/"),
    "a moment of another shape": _tensors(lambda t, name: t.update({name: t[name].reshape(-1)[:1]}), "optimizer/exp"),
    "a kept weight of another shape": _tensors(lambda t, name: t.update({name: t[name][:1]}), "kept/"),
    "NaN weights": _tensors(lambda t, name: t[name].fill_(float("nan")), "weights/"),
    "infinite moments": _tensors(lambda t, name: t[name].fill_(float("inf")), "optimizer/exp"),
    "NaN kept weights": _tensors(lambda t, name: t[name].fill_(float("nan")), "kept/"),
    "whole numbers": _tensors(lambda t, name: t.update({name: t[name].long()}), "weights/"),
    "an average of no update": lambda c: c["tensors"].update({"kept/x/y": c["tensors"].popitem()[1]}),
    "an average of an update that was not": lambda c: c["tensors"].update(
        {"kept/77/y": next(iter(c["tensors"].values()))}
    ),
    "no name of a moment": lambda c: c["tensors"].update({"optimizer/": next(iter(c["tensors"].values()))}),
    "another name": lambda c: c["tensors"].update({"x": next(iter(c["tensors"].values()))}),
    "another fingerprint": _set("fingerprint", "x"), "no fingerprint": _set("fingerprint", DROP),
    "another kind": lambda c: c.update(kind="model"), "another version": lambda c: c.update(schema_version=2),
    "a list": lambda c: [c],
}  # fmt: skip


@attacks("checkpoints")
def checkpoints() -> Iterator[Attack]:
    """In the process that wrote them: a checkpoint is of the modules that are loaded, too."""
    for name, change in CHANGES.items():
        yield Attack(f"the newest: {name}", (STAGE,), _with_checkpoints(change), right=_same_weights, inside=True)
    for name in ("no weights", "NaN weights", "progress None", "another kind", "a moment of another shape"):
        yield Attack(f"both: {name}", (STAGE,), _with_checkpoints(CHANGES[name], of_both=True), right=_same_weights,
                     inside=True)  # fmt: skip
