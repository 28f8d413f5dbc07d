"""``compute.instruction_set``: set in a running process, it reaches the libraries that torch computes with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stageformer.compute import instruction_set
from stageformer.compute.instruction_set import AVX2, keep_compiled_code_apart, use_instruction_set
from stageformer.provenance.record import VARIABLES

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
prepare(parse(Compute, values | {"threads": 1, **json.loads(sys.argv[1])}, "compute"))
generator = torch.Generator().manual_seed(1)
x = torch.randn(300, 500, generator=generator)
results = {
    "aten": x.softmax(-1),
    "mkl": x @ x.T,
    "gelu": torch.nn.functional.gelu(x),
}
digests = {name: hashlib.md5(result.numpy().tobytes()).hexdigest() for name, result in results.items()}
print("\\n" + json.dumps({"capability": torch.backends.cpu.get_cpu_capability(), "digests": digests}))
"""


@cache
def compute(name: str, precision: str = "fp32", **variables: str) -> tuple[dict[str, Any], str, str]:
    """What the script says in a process of its own, what the libraries say of themselves, and the warnings."""
    environment = {name: value for name, value in os.environ.items() if name not in AVX2}
    values = json.dumps({"instruction_set": name, "precision": precision})
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, values], cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment | {"ONEDNN_VERBOSE": "1", "MKL_VERBOSE": "1"} | variables,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    *said, result = run.stdout.splitlines()
    return json.loads(result), "\n".join(said), run.stderr


@needs_avx2
def test_after_the_imports_is_early_enough() -> None:
    result, said, _ = compute("avx2")
    assert result["capability"] == "AVX2"
    assert "onednn" not in said  # it takes no part
    assert "onednn" in compute("native")[1]
    assert result["digests"]["aten"] == compute("native", **AVX2)[0]["digests"]["aten"]


@needs_avx2
def test_mkl_keeps_the_code_that_it_chooses_itself() -> None:
    assert compute("avx2")[0]["digests"]["mkl"] == compute("native")[0]["digests"]["mkl"]


@needs_avx2
def test_the_bits_are_others_than_those_of_wider_instructions() -> None:
    native = compute("native")[0]
    if native["capability"] != "AVX512":
        pytest.skip("the CPU has no AVX-512")
    limited = compute("avx2")[0]
    for library in ("aten", "gelu"):
        assert limited["digests"][library] != native["digests"][library]


@needs_avx2
def test_half_precision_keeps_what_onednn_has_for_it() -> None:
    half, native = compute("avx2", "bf16")[0], compute("native")[0]
    assert half["capability"] == "AVX2"
    assert half["digests"]["gelu"] == native["digests"]["gelu"]


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An empty environment, on a machine of AMD's with AVX2, whatever this one is."""
    environment: dict[str, str] = {}
    monkeypatch.setattr(instruction_set, "os", SimpleNamespace(environ=environment))
    monkeypatch.setattr(instruction_set.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(instruction_set, "_has_avx2", lambda: True)
    monkeypatch.setattr(instruction_set, "_vendor", lambda: "AuthenticAMD")
    monkeypatch.setattr(instruction_set, "MEASURED_VENDORS", ("AuthenticAMD",))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    return environment


def test_where_the_promise_holds_there_is_no_warning(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    use_instruction_set("avx2")
    assert environ == AVX2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("target", "value", "reason", "limited"),
    [
        ("stageformer.compute.instruction_set.platform.machine", "arm64", r"this CPU \(arm64\) is not an x86", False),
        ("stageformer.compute.instruction_set._has_avx2", False, "this CPU has no AVX2", False),
        ("stageformer.compute.instruction_set._vendor", "GenuineIntel", "and this is one of GenuineIntel", True),
        ("torch.backends.cpu.get_cpu_capability", "AVX512", "this process has computed with AVX512 already", True),
    ],
)
def test_a_machine_that_cannot_keep_the_promise_says_so_in_one_line_and_continues(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], capsys: pytest.CaptureFixture[str], target: str,
    value: object, reason: str, limited: bool,
) -> None:
    if not limited:
        monkeypatch.setattr(instruction_set, "_has_avx2", lambda: False)
    monkeypatch.setattr(target, lambda: value)
    use_instruction_set("avx2")
    warning = capsys.readouterr().err
    assert re.fullmatch(f"warning: compute.instruction_set is avx2, but .*{reason}: the last bits may .*\n", warning)
    assert environ == (AVX2 if limited else {})  # without AVX2, ATEN_CPU_CAPABILITY would be fatal
    use_instruction_set("avx2", quiet=True)
    environ["RANK"] = "1"
    use_instruction_set("avx2")
    assert capsys.readouterr().err == ""


def test_native_leaves_all_as_it_is(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(instruction_set, "_has_avx2", lambda: False)
    use_instruction_set("native", quiet=True)
    assert capsys.readouterr().err == ""
    use_instruction_set("native")
    assert environ == {}
    assert capsys.readouterr().err == (
        "warning: compute.instruction_set is native: the last bits may differ from those of other machines\n"
    )


@pytest.mark.parametrize("given", ["", os.path.join(tempfile.gettempdir(), "a cache")])
def test_compiled_code_of_one_instruction_set_is_not_found_by_the_other(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    folders = {}
    for name in ("avx2", "native", "avx2"):
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", given)
        keep_compiled_code_apart(name)
        keep_compiled_code_apart(name)
        assert folders.setdefault(name, cache_dir()) == cache_dir()
        assert Path(cache_dir()).name == name
        assert str(Path(cache_dir()).parent).startswith(given or tempfile.gettempdir())
    assert folders["avx2"] != folders["native"]


def test_the_environment_of_a_stage_names_every_variable() -> None:
    assert set(AVX2) < set(VARIABLES)
