"""What a format cannot express is refused by `check`, before anything is trained, in the words of the format itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stageformer.cli import main as stageformer
from stageformer.errors import StageformerError
from stageformer.export.check import check_formats
from stageformer.export.expressible import check_transformers_tokenizer
from stageformer.params.choices import chosen, implementation, kinds
from stageformer.params.groups import check
from stageformer.params.reading import read_yaml
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.tokenizers.char import CharTokenizer

ROOT = Path(__file__).parents[2]


def values(**changes: object) -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(ROOT / "recipes/default.yaml")
    for key, value in changes.items():
        group, name = key.split("__")
        assert name in found[group]
        found[group][name] = value
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_decoder__attention_only": True, "export__formats": ["huggingface"]},
         "attention_only is true for the decoder; Blenderbot has no such layers; take huggingface out of"),
        ({"train_encoder__attention_only": True, "export__formats": ["ctranslate2_int8"]},
         "attention_only is true for the encoder; CTranslate2 has no such layers; take ctranslate2 and"),
        ({"train_encoder__norm": "post"}, "norm is 'post' for the encoder and 'pre' for the decoder; transformers"),
        ({"train_encoder__activation": "gelu"},
         "activation is 'gelu' for the encoder and 'relu' for the decoder; Blenderbot"),
        ({"model__d_k": 8, "export__formats": ["ctranslate2"]},
         "d_k is 8 and d_v null for the encoder; CTranslate2 has only heads that are d_model / num_heads (32) wide"),
        ({"train_decoder__d_v": 16, "export__formats": ["huggingface"]},
         "d_k is null and d_v 16 for the decoder; Blenderbot has only heads that are d_model / num_heads (32) wide"),
        ({"model__norm": "post", "embed__positions": "learned"},
         "embed.positions is 'learned'; MarianMT has only sinusoidal positions"),
    ],
)  # fmt: skip
def test_a_model_that_a_format_cannot_express_is_refused(changes: Any, message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        check_formats(check(values(**changes)))
    assert str(caught.value).startswith(message)


def test_a_model_that_no_format_was_asked_for_is_allowed() -> None:
    check_formats(check(values()))
    check_formats(check(values(model__d_k=8, export__formats=[])))
    check_formats(check(values(model__d_k=32, model__d_v=32)))
    check_formats(check(values(train_encoder__norm="post", export__formats=["ctranslate2"])))


class Foreign(CharTokenizer):
    kind = "foreign"

    def to_hugging_face(self) -> None:  # type: ignore[override]
        return None


def test_a_tokenizer_that_the_library_cannot_express_is_refused() -> None:
    with pytest.raises(StageformerError, match=r"^the tokenizer is of the kind 'foreign', which the"):
        check_transformers_tokenizer(Foreign)
    check_transformers_tokenizer(CharTokenizer)


@pytest.mark.parametrize("kind", kinds("stageformer.text.tokenizers"))
def test_every_family_declares_what_it_returns(kind: str) -> None:
    family: type[Tokenizer] = implementation(chosen("stageformer.text.tokenizers", kind), Tokenizer)
    assert family.to_hugging_face.__annotations__["return"] in ("None", "tokenizers.Tokenizer")


def test_the_command_refuses_and_imports_no_torch(tmp_path: Path) -> None:
    text = (ROOT / "recipes/default.yaml").read_text(encoding="utf-8")
    params = tmp_path / "params.yaml"
    params.write_text(text.replace("attention_only: false", "attention_only: true"), encoding="utf-8")
    result = CliRunner().invoke(stageformer, ["check", "--params", str(params)])
    assert result.exit_code == 2
    assert "attention_only is true for the encoder; CTranslate2 has no such layers" in result.stderr
    code = (
        "import sys; from stages.check import main\n"
        f"try: main(['--params', {str(ROOT / 'recipes/default.yaml')!r}, '--output', {str(tmp_path / 'out')!r}])\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "0 False\n"
