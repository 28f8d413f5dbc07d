"""A new cutter is one new file: the parameters, the check, the manifest, the command and the tokenizer know it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CUTTER = '''
"""``halves``: two words for each text."""

from stageformer.text.cutters.base import Cutter

NEEDS = ()


class HalvesCutter(Cutter):
    """Cuts a text in the middle."""

    def words(self, text: str) -> list[str]:
        """Return both halves."""
        return [text[: len(text) // 2], text[len(text) // 2 :]]
'''
PROGRAM = """
from pathlib import Path
from stageformer.cli import main
from stageformer.params.groups import check
from stageformer.params.reading import read_yaml
from stageformer.provenance.code import Code
from stageformer.provenance.needs import check_packages
from stageformer.text.cutting import check_cutters

values = read_yaml(Path("recipes/default.yaml"))
values["tokenize"]["source"] = {
    "kind": "cut", "case": "keep", "normalisation": "none", "cutter": "halves", "language": None, "path": None,
    "subwords": "bpe", "vocabulary_size": 50,
}
values["export"]["formats"] = ["ctranslate2"]
parameters = check(values)
check_packages(values)
check_cutters(parameters.tokenize)
assert "src/stageformer/text/cutters/halves.py" in Code(Path.cwd(), values).closure("stages.tokenize")
main(["tokenize", "Ankara", "--kind", "halves", "--json"])
"""


def test_a_new_cutter_is_one_new_file(tmp_path: Path) -> None:
    for folder in ("src", "stages", "recipes"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (tmp_path / "src/stageformer/text/cutters/halves.py").write_text(CUTTER)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=os.environ | {"PYTHONPATH": "src"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert '"▁Ank"' in run.stdout
    assert '"ara"' in run.stdout
