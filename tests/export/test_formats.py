"""The formats are the files of their folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from stageformer.errors import StageformerError
from stageformer.export.formats.base import export_format
from stageformer.params.choices import kinds
from stageformer.params.export import FORMATS

ROOT = Path(__file__).parents[2]


def test_the_parameter_has_the_names_of_the_files():
    assert kinds("stageformer.export.formats") == ["ctranslate2", "ctranslate2_int8", "huggingface"] == list(FORMATS)
    titles = {export_format(name).title for name in FORMATS}
    assert titles == {"CTranslate2, fp32", "CTranslate2, int8", "Hugging Face transformers, fp32"}
    message = r"unknown kind 'hugingface' of formats \(did you mean 'huggingface'\?\)"
    with pytest.raises(StageformerError, match=message):
        export_format("hugingface")


def test_a_format_is_imported_only_when_it_is_chosen():
    code = (
        "import sys, stages.export; from stageformer.export.formats.base import export_format; "
        "found = lambda: sorted(name for name in sys.modules if name.startswith('stageformer.export.formats.')); "
        "print(len(found())); export_format('ctranslate2'); print(len(found()), 'transformers' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["1", "2", "False"]
