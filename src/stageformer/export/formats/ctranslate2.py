"""The model as a folder for CTranslate2, a translation engine in C++ (Klein et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from stageformer.export.expressible import check_ctranslate2
from stageformer.export.formats.base import Format, code
from stageformer.model.config import TransformerConfig
from stageformer.text.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    from stageformer.export.workload import Run, Workload
    from stageformer.model.transformer import Transformer
    from stageformer.text.pair import Tokenizers
    from stageformer.text.vocabulary import Vocabularies

NEEDS = ("ctranslate2",)


class CTranslate2Format(Format):
    """A folder of CTranslate2 in the precision of the model."""

    title = "CTranslate2, fp32"
    library = "ctranslate2"
    quantization: ClassVar[str | None] = None

    def check(self, config: TransformerConfig, tokenizer: type[Tokenizer]) -> None:
        """See :meth:`Format.check`. Tokens are cut outside of CTranslate2, by any tokenizer."""
        check_ctranslate2(config)

    def write(self, model: Transformer, tokenizers: Tokenizers, vocabularies: Vocabularies, folder: Path) -> None:
        """See :meth:`Format.write`."""
        from stageformer.export.ctranslate2_model import save_ctranslate2

        save_ctranslate2(model, vocabularies, folder, quantization=self.quantization)

    def translate(self, workload: Workload, folder: Path) -> Run:
        """See :meth:`Format.translate`."""
        from stageformer.export.workload import timed
        from stageformer.translator.ctranslate2_engine import CTranslate2Engine

        engine = CTranslate2Engine(folder, workload.vocabularies, threads=workload.compute.threads)
        limits = workload.max_lengths

        def translate() -> list[list[int]]:
            found = engine.translate(
                workload.source_ids, max_lengths=limits, beam_size=1, length_penalty=0.0,
                batch_tokens=workload.batch_tokens,
            )  # fmt: skip
            return [best.ids for best in found]

        return timed(translate, workload.text)

    def usage(self, folder: str, folders: Mapping[str, str]) -> list[str]:
        """See :meth:`Format.usage`. The folder of CTranslate2 has no tokenizer."""
        from stageformer.translator.model_folder import FORMAT

        if "huggingface" in folders:
            imports = ["from transformers import AutoTokenizer"]
            loading = [f'tokenizer = AutoTokenizer.from_pretrained("{folders["huggingface"]}")']
            tokens = 'tokenizer.convert_ids_to_tokens(tokenizer("...").input_ids)'
            text = "tokenizer.decode(tokenizer.convert_tokens_to_ids(best))"
            where = "with the tokenizer for `transformers`"
        elif FORMAT in folders:
            imports = ["from stageformer import Translator"]
            loading = [f'tokenizers = Translator.load("{folders[FORMAT]}").tokenizers']
            tokens = '[*tokenizers.source.encode_batch(["..."])[0], "<eos>"]'
            text = "tokenizers.target.decode(best)"
            where = "with the tokenizers of Stageformer"
        else:
            imports, loading, tokens, text = [], [], '["...", "<eos>"]', "best"
            where = "on tokens, since no tokenizer was exported with it"
        return [
            f"With `ctranslate2`, {where}; tokens end with `<eos>`, and the special tokens are to be forbidden:",
            code(
                "import ctranslate2",
                *imports,
                "",
                *loading,
                f'translator = ctranslate2.Translator("{folder}")',
                f"tokens = {tokens}",
                'options = {"disable_unk": True, "suppress_sequences": [["<pad>"], ["<bos>"]], "beam_size": 1}',
                "best = translator.translate_batch([tokens], **options)[0].hypotheses[0]",
                f"print({text})",
            ),
        ]
