"""``compute.portable``: set in a running process, it reaches all three libraries that torch computes with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stageformer.compute.instruction_set import AVX2, use_avx2_alone
from stageformer.errors import StageformerError
from stageformer.provenance.environment import VARIABLES

ROOT = Path(__file__).parents[2]
HAS_AVX2 = torch.cpu._is_avx2_supported()
needs_avx2 = pytest.mark.skipif(not HAS_AVX2, reason="the CPU has no AVX2")

# All that the stages import comes first: it must not make torch choose its code paths.
SCRIPT = """
import hashlib, json, sys
import stages.embed, stages.train_encoder, stages.encode, stages.train_decoder, stages.translate, stages.evaluate
import torch
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.compute.device import prepare

values = read_yaml(stages.embed.Path("recipes/default.yaml"))["compute"]
prepare(parse(Compute, values | {"threads": 1, "portable": json.loads(sys.argv[1])}, "compute"))
generator = torch.Generator().manual_seed(1)
x = torch.randn(300, 500, generator=generator)
results = {
    "aten": x.softmax(-1),
    "mkl": x @ x.T,
    "onednn": torch.nn.functional.gelu(x),
}
digests = {name: hashlib.md5(result.numpy().tobytes()).hexdigest() for name, result in results.items()}
print("\\n" + json.dumps({"capability": torch.backends.cpu.get_cpu_capability(), "digests": digests}))
"""


@cache
def compute(portable: bool, **variables: str) -> tuple[dict[str, Any], str]:
    """What the script says in a process of its own, and what the libraries say of themselves."""
    environment = {name: value for name, value in os.environ.items() if name not in AVX2}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(portable)], cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment | {"ONEDNN_VERBOSE": "1", "MKL_VERBOSE": "1"} | variables,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    *said, result = run.stdout.splitlines()
    return json.loads(result), "\n".join(said)


@needs_avx2
def test_after_the_imports_is_early_enough() -> None:
    result, said = compute(True)
    assert result["capability"] == "AVX2"
    assert re.findall(r"onednn_verbose,v1,info,cpu,isa:(.*)", said) == ["Intel AVX2"]
    if torch.backends.mkl.is_available():
        # On other CPUs than Intel's, MKL answers AUTO.
        assert set(re.findall(r"SGEMM.* CNR:(\S+)", said)) <= {"AVX2,STRICT", "AUTO,STRICT"}
    assert result["digests"] == compute(False, **AVX2)[0]["digests"]


@needs_avx2
def test_the_bits_are_others_than_those_of_wider_instructions() -> None:
    native, _ = compute(False)
    if native["capability"] != "AVX512":
        pytest.skip("the CPU has no AVX-512")
    portable, _ = compute(True)
    for library in ("aten", "onednn"):
        assert portable["digests"][library] != native["digests"][library]


def test_without_avx2_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    found = SimpleNamespace(detected_simd_level="sse4_2")
    monkeypatch.setattr("stageformer.compute.instruction_set.pyarrow.runtime_info", lambda: found)
    with pytest.raises(StageformerError, match=r"^compute.portable is true, but this CPU \(.*\) has no AVX2"):
        use_avx2_alone()
    assert os.environ == {}


@needs_avx2
def test_too_late_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    with pytest.raises(StageformerError, match="this process has computed with AVX512 already; start another one"):
        use_avx2_alone()


def test_the_environment_of_a_stage_names_every_variable() -> None:
    assert set(AVX2) == set(VARIABLES)
