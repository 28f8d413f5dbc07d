"""`torch.compile` as a parameter: it computes the same."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from stageformer.batching.pairs import Pairs
from stageformer.compute.pool import Serial
from stageformer.compute.precision import compile_layers
from stageformer.compute.processes import ALONE
from stageformer.errors import StageformerError
from stageformer.model.transformer import Transformer
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.step import Gradients
from stageformer.training.tasks.translation import TranslationTask


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_layers_compute_the_same(
    copy_corpus: Callable[..., dict[str, Pairs]],
    transformer: Callable[..., Transformer],
    training: Callable[..., Training],
    make_compute: Callable[..., Compute],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What was compiled for wider instructions is no use here.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    results = []
    for compiled in (False, True):
        model = transformer()
        model.train()
        compute = make_compute(compile=compiled)
        if compiled:
            compile_layers(model.encoder, compute)  # the decoder stays as it is: each kind of layer takes its time
        task = TranslationTask(model, copy_corpus(60), 0, torch.device("cpu"), 0.1)
        loss, _ = Gradients(task, training(batch_tokens=600), compute, Serial(), ALONE).compute(1, np.arange(60))
        results.append((loss, [parameter.grad for parameter in model.parameters()]))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-3, atol=1e-6)


def test_a_missing_compiler_is_reported(
    transformer: Callable[..., Transformer], make_compute: Callable[..., Compute], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(StageformerError, match="no C\\+\\+ compiler"):
        compile_layers(transformer(), make_compute(compile=True))
