"""The model card: ``README.md`` with the front matter that Hugging Face reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._+-]*")
_NOT_STATED = "not stated"
_FORMATS = {
    "ctranslate2": "CTranslate2, fp32",
    "ctranslate2_int8": "CTranslate2, int8",
    "huggingface": "Hugging Face transformers, fp32",
}
_SCORES = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER", "per": "PER", "wer": "WER", "exact_match": "exact match, %"}


def card(facts: Mapping[str, Any], folders: Mapping[str, str], origin: Sequence[str] = ()) -> str:
    """Return the text of the card.

    Args:
        facts: see :func:`stageformer.export.facts.facts`
        folders: where each format lies, relative to the card
        origin: paragraphs on where the model comes from, in the published card; none: the hashes of the files that the
            stage read
    """
    source, target = facts["source_language"], facts["target_language"]
    parts = [
        "\n".join(_front_matter(facts, folders)),
        f"# Translation from {source} to {target}",
        f"A Transformer encoder-decoder ([Attention Is All You Need](https://arxiv.org/abs/1706.03762)) made by "
        f"Stageformer. {facts['model']['weights']:,} weights. It translates one sentence at a time.",
        "## Use",
        *_usage(folders),
        "## Scores",
        *_scores(facts["scores"], facts["search"]),
        *(["## Formats", *_formats(facts["formats"])] if facts["formats"] else []),
        "## Data and licences",
        f"- Trained on: {facts['data']}, {source} to {target}\n"
        f"- Licence of the data: {facts['data_license'] or _NOT_STATED}\n"
        f"- Licence of the model: {facts['license'] or _NOT_STATED}",
        "## Parameters",
        _table(("", "encoder", "decoder"), _architecture(facts)),
        "## Origin",
        *(origin or _inputs(facts)),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(facts: Mapping[str, Any], folders: Mapping[str, str]) -> list[str]:
    languages = dict.fromkeys([facts["source_language"], facts["target_language"]])
    lines = ["---", "language:", *(f"- {_yaml(language)}" for language in languages)]
    if facts["license"]:
        lines.append(f"license: {_yaml(facts['license'])}")
    formats = (("huggingface", "transformers"), ("ctranslate2", "ctranslate2"), ("ctranslate2_int8", "ctranslate2"))
    library = next((library for name, library in formats if name in folders), "stageformer")
    lines += [f"library_name: {library}", "pipeline_tag: translation", "tags:", "- translation", "- stageformer"]
    metrics = [name for name in ("bleu", "chrf", "ter", "wer") if name in facts["scores"]["beam"]]
    return [*lines, "metrics:", *(f"- {name}" for name in metrics), "---"]


def _yaml(text: str) -> str:
    # Norwegian: bare `no` is false.
    plain = _PLAIN.fullmatch(text) and text.lower() not in ("no", "yes", "on", "off", "y", "n", "true", "false", "null")
    return text if plain else json.dumps(text, ensure_ascii=False)


def _usage(folders: Mapping[str, str]) -> Iterable[str]:
    if "stageformer" in folders:
        yield "With Stageformer itself, in this folder; `Translator.load(FOLDER)` does the same in Python:"
        yield _code('stageformer translate --model . "..."', language="sh")
    if "huggingface" in folders:
        folder = folders["huggingface"]
        yield "With `transformers`, version 5 or newer (older ones may read the weights wrongly):"
        yield _code(
            "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer",
            "",
            f'tokenizer = AutoTokenizer.from_pretrained("{folder}")',
            f'model = AutoModelForSeq2SeqLM.from_pretrained("{folder}")',
            'batch = tokenizer(["..."], return_tensors="pt", padding=True)',
            "print(tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True))",
        )
        yield (
            "Where there is a folder `target_tokenizer`, decode with the tokenizer in it. `generate` searches greedily "
            "unless it is given `num_beams`. The architecture is named after the model that first had such layers "
            "(Marian: post-norm, Blenderbot: pre-norm)."
        )
    if engines := [name for name in folders if name.startswith("ctranslate2")]:
        yield "With `ctranslate2`; tokens end with `<eos>`, and the special tokens are to be forbidden:"
        yield _code(
            "import ctranslate2",
            "",
            f'translator = ctranslate2.Translator("{folders[engines[0]]}")',
            'tokens = tokenizer.convert_ids_to_tokens(tokenizer("...").input_ids)',
            'options = {"disable_unk": True, "suppress_sequences": [["<pad>"], ["<bos>"]], "beam_size": 1}',
            "best = translator.translate_batch([tokens], **options)[0].hypotheses[0]",
            "print(tokenizer.decode(tokenizer.convert_tokens_to_ids(best)))",
        )


def _scores(scores: Mapping[str, Any], search: Mapping[str, Any]) -> Iterable[str]:
    names = [name for name in _SCORES if name in scores["beam"]]
    rows = [
        (label, *(f"{scores[key][name]:.1f}" for name in names))
        for key, label in (("beam", "beam search"), ("greedy", "greedy search"), ("copy_source", "the copied source"))
    ]
    yield (
        f"On the split `{scores['split']}`: {scores['sentences']:,} sentences, {scores['references']:,} references. "
        f"Beam of {search['beam_size']}, alpha of the length penalty {search['length_penalty']}; a translation has at "
        f"most {search['max_length_ratio']} tokens a source token plus {search['max_length_offset']}."
    )
    yield _table(("", *(_SCORES[name] for name in names)), rows)
    signatures = sorted(name for name in scores if name.endswith("_signature"))
    yield "\n".join(f"- {name.removesuffix('_signature')}: `{scores[name]}`" for name in signatures)


def _formats(formats: Mapping[str, Any]) -> Iterable[str]:
    rows = [
        (
            _FORMATS[name],
            f"{found['size_mib']:.1f}",
            f"{found['greedy_equal']:.1f}",
            f"{found['bleu']:.1f}",
            f"{round(found['bleu_difference'], 2) + 0.0:+.2f}",  # no -0.00
        )
        for name, found in formats.items()
    ]
    yield "Greedy search by each engine on the same sentences, beside Stageformer's own."
    yield _table(("format", "MiB", "same translations, %", "BLEU", "difference"), rows)


def _architecture(facts: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    model = facts["model"]
    for name in ("num_layers", "d_model", "num_heads", "d_ff", "activation", "norm"):
        yield (name, str(model["encoder"][name]), str(model["decoder"][name]))
    sides = (model["source"], model["target"])
    yield ("vocabulary", *(f"{side['vocabulary_size']:,}" for side in sides))
    yield ("positions", *(side["positions"] for side in sides))
    yield ("longest sentence, tokens", *(str(side["max_length"]) for side in sides))
    yield ("tokenizer", facts["tokenizer"], facts["tokenizer"])


def _inputs(facts: Mapping[str, Any]) -> Iterable[str]:
    yield "MD5 of the files that the model was exported from:"
    yield _table(("file", "md5"), ((f"`{path}`", f"`{value}`") for path, value in sorted(facts["inputs"].items())))


def _code(*lines: str, language: str = "python") -> str:
    return "\n".join((f"```{language}", *lines, "```"))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
