"""One click script for each stage of the pipeline: ``python -m stages.NAME``, from the root of the repository.

A stage always runs the library beside it: DVC runs queued experiments in a copy of the repository, and there
the installed package would still be the code of the original.
"""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

if sys.version_info < (3, 11) or importlib.util.find_spec("ruamel") is None:
    sys.exit(
        f"error: {sys.executable} lacks what the stages need; run `make repro`, or `make setup` once and then"
        " `source .venv/bin/activate` before `dvc repro`"
    )

if sys.argv[:1] == ["-m"]:  # as a script: an interruption while torch is imported is one line, too
    from stageformer.console.net import catch_what_imports_raise

    catch_what_imports_raise()
