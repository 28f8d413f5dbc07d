"""What a stage that computes sets for its process, and what it does not import."""

import subprocess
import sys
from pathlib import Path

import pytest

from stageformer.kernels.choice import KERNELS

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys
import stages.encode, stages.evaluate, stages.train_decoder, stages.train_encoder, stages.translate
import torch
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.params.training import Training
from stageformer.compute.device import prepare
from stageformer.training.optimizer import Adam

values = read_yaml(stages.encode.Path("recipes/default.yaml"))
prepare(parse(Compute, values["compute"] | {"compile": COMPILE}, "compute"))
assert torch.are_deterministic_algorithms_enabled() and not torch.is_deterministic_algorithms_warn_only_enabled()
assert not torch.utils.deterministic.fill_uninitialized_memory
parameter = torch.nn.Parameter(torch.ones(2))
parameter.grad = torch.ones(2)
Adam([parameter], parse(Training, values["train_encoder"]["training"], "training")).step(0.1)
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("compiled", [False, True])
def test_the_compiler_of_torch_is_imported_only_where_it_is_used(compiled: bool) -> None:
    script = SCRIPT.replace("COMPILE", str(compiled))
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(compiled)]


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_kernels_are_those_of_the_parameters(kernels: str) -> None:
    script = (
        "import sys; from stageformer.compute.device import prepare; from stageformer.kernels import choice;"
        "from stageformer.params.base import parse; from stageformer.params.compute import Compute;"
        "from stageformer.params.reading import read_yaml; from pathlib import Path;"
        "values = read_yaml(Path('recipes/default.yaml'))['compute'];"
        "prepare(parse(Compute, values | {'kernels': sys.argv[1]}, 'compute'));"
        "print(choice.accelerated_by(lambda: 'fast')(lambda: 'reference')())"
    )
    command = [sys.executable, "-c", script, kernels]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split() == [kernels]
