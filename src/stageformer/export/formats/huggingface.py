"""The model as a folder for Hugging Face's ``transformers``, with its tokenizer.

A post-norm model becomes a MarianMT, a pre-norm model a Blenderbot.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stageformer.export.expressible import check_transformers, check_transformers_tokenizer
from stageformer.export.formats.base import Format, code
from stageformer.model.config import TransformerConfig
from stageformer.text.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    from stageformer.export.workload import Run, Workload
    from stageformer.model.transformer import Transformer
    from stageformer.text.pair import Tokenizers
    from stageformer.text.vocabulary import Vocabularies

NEEDS = ("transformers", "safetensors")


class HuggingFaceFormat(Format):
    """A folder of ``transformers``, which a published model has beside its card."""

    title = "Hugging Face transformers, fp32"
    library = "transformers"
    is_at_the_root = True

    def check(self, config: TransformerConfig, tokenizer: type[Tokenizer]) -> None:
        """See :meth:`Format.check`."""
        norm = config.encoder.norm
        architecture = "MarianMT" if norm == "post" else "Blenderbot"
        check_transformers(config, norm=norm, architecture=architecture)
        check_transformers_tokenizer(tokenizer)

    def write(self, model: Transformer, tokenizers: Tokenizers, vocabularies: Vocabularies, folder: Path) -> None:
        """See :meth:`Format.write`."""
        from stageformer.export.transformers_folder import save_huggingface

        save_huggingface(model, tokenizers, vocabularies, folder)

    def translate(self, workload: Workload, folder: Path) -> Run:
        """See :meth:`Format.translate`. The tokenizer is that of the folder, too."""
        from stageformer.export.transformers_folder import HuggingFaceEngine
        from stageformer.export.workload import timed

        engine = HuggingFaceEngine(folder)
        ids, limits = engine.source_ids(workload.texts), workload.max_lengths
        return timed(
            lambda: engine.translate(ids, max_lengths=limits, batch_tokens=workload.batch_tokens), engine.text
        )

    def usage(self, folder: str, folders: Mapping[str, str]) -> list[str]:
        """See :meth:`Format.usage`."""
        return [
            "With `transformers`, version 5 or newer (older ones may read the weights wrongly):",
            code(
                "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer",
                "",
                f'tokenizer = AutoTokenizer.from_pretrained("{folder}")',
                f'model = AutoModelForSeq2SeqLM.from_pretrained("{folder}")',
                'batch = tokenizer(["..."], return_tensors="pt", padding=True)',
                "print(tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True))",
            ),
            "Where there is a folder `target_tokenizer`, decode with the tokenizer in it. `generate` searches greedily "
            "unless it is given `num_beams`. The architecture is named after the model that first had such layers "
            "(Marian: post-norm, Blenderbot: pre-norm).",
        ]
