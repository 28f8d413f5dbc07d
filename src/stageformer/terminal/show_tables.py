"""The facts and the sample of a table, joined by sentence id with the tables of the stages before it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stageformer.artifacts.header import MADE_BY
from stageformer.artifacts.tables import decoded, describe_table, open_table, read_batches
from stageformer.errors import StageformerError
from stageformer.terminal.text import aligned, columns, labelled
from stageformer.text.vocabulary import load_vocabularies

Facts = list[tuple[str, str]]


def table_line(path: Path) -> str:
    """Return kind and number of rows of a table. Raises StageformerError if it is damaged or foreign."""
    file = open_table(path)
    return f"{describe_table(file)['kind']}, {file.metadata.num_rows:,} rows"


def show_table(path: Path, rows: int, sentence: int | None, width: int) -> tuple[str, Facts, list[str]]:
    """Return kind, facts and the lines of a sample of a table. Raises StageformerError if it is damaged or foreign."""
    file = open_table(path)
    kind = describe_table(file)["kind"]
    facts = [
        ("rows", f"{file.metadata.num_rows:,} in {file.metadata.num_row_groups} row groups"),
        ("columns", ", ".join(f"{f.name}: {f.type}" for f in file.schema_arrow).replace("element: ", "")),
    ]
    if kind == "vocabulary":
        if sentence is not None:
            raise StageformerError(f"{path}: a vocabulary has no sentences; leave out --id")
        first = next(read_batches(path, kind)).slice(0, rows).to_pylist() if file.metadata.num_rows else []
        cells = [["id", "count", "token"], *([str(r["id"]), f"{r['count']:,}", r["token"]] for r in first)]
        return kind, facts, columns(cells, right=(0, 1))
    found = sample_of_table(path, kind, rows, sentence)
    ids = [row["id"] for row in found]
    lines: list[str] = []
    data = path.absolute().parents[2 if kind == "labels" else 1]  # they are in a folder of their own
    texts = rows_beside(data, path.stem, "sentences", ids) if kind in ("labels", "tokens", "ids") else {}
    cut = rows_beside(data, path.stem, "tokens", ids) if kind == "ids" else {}
    vocabularies = _vocabularies(path.parent) if kind == "ids" else {}
    target_tokens = _vocabularies(data / MADE_BY["ids"]).get("target") if kind == "hypotheses" else None
    for row in found:
        lines.append(f"sentence {row['id']}" + (f" (group {row['group']})" if row.get("group") else ""))
        if kind in ("sentences", "translations"):
            lines += labelled(((name, _text(row[name])) for name in row if name not in ("id", "group")), width)
        if kind == "labels":
            lines += _labels(row["labels"], texts.get(row["id"], {}).get("source", ""), width)
        if kind == "hypotheses":
            lines += _hypotheses(row, target_tokens, width)
        for side in ("source", "target") if kind in ("tokens", "ids") else ():
            if row["id"] in texts:
                lines += labelled([(f"{side} text".ljust(len("source tokens")), texts[row["id"]][side])], width)
            lines += _side(side, row, cut.get(row["id"]), vocabularies.get(side), width)
        lines.append("")
    return kind, facts, lines[:-1]


def _labels(labels: list[str], source: str, width: int) -> list[str]:
    """The labels of a sentence below it, or below each word where they are as many."""
    words = source.split()
    if len(words) == len(labels) > 1:
        return aligned(["words", "labels"], [words, labels], width)
    return labelled([*([("source", source)] if source else []), ("labels", _text(labels))], width)


def _side(
    side: str, row: dict[str, Any], cut: dict[str, Any] | None, tokens: list[str] | None, width: int
) -> list[str]:
    """The tokens of one side of a sentence, above their ids where there are ids."""
    ids = row.get(f"{side}_ids")
    if ids is None:
        return labelled([(f"{side} tokens ({len(row[f'{side}_tokens'])})", " ".join(row[f"{side}_tokens"]))], width)
    names = _names(ids, tokens)
    labels, sequences = [f"{side} ids"], [[str(i) for i in ids]]
    if names is not None:
        labels, sequences = ["in vocabulary", *labels], [names, *sequences]
    if cut is not None:
        # The ids of the target begin with <bos>, which the tokens do not have.
        labels = [f"{side} tokens", *labels]
        sequences = [[*([""] if side == "target" else []), *cut[f"{side}_tokens"]], *sequences]
    return aligned(labels, sequences, width)


def _hypotheses(row: dict[str, Any], tokens: list[str] | None, width: int) -> list[str]:
    """What either search found for a sentence, with its tokens if there is a vocabulary, and its probability."""
    lines: list[str] = []
    for search in ("beam", "greedy"):
        ids = row[f"{search}_ids"]
        labels, sequences = [f"{search} ids"], [[str(i) for i in ids]]
        if (names := _names(ids, tokens)) is not None:
            labels, sequences = [f"{search} tokens", *labels], [names, *sequences]
        lines += aligned(labels, sequences, width)
    names_of_numbers = ("beam_score", "beam_log_probability", "target_log_probability")
    return lines + labelled(((name.replace("_", " "), _text(row[name])) for name in names_of_numbers), width)


def _names(ids: Sequence[int], tokens: list[str] | None) -> list[str] | None:
    """The token of each id; None without a vocabulary."""
    return [tokens[i] if 0 <= i < len(tokens) else "(outside the vocabulary)" for i in ids] if tokens else None


def sample_of_table(path: Path, kind: str, rows: int, sentence: int | None) -> list[dict[str, Any]]:
    """Return the first rows of a table of sentences, or the row of one. Raises StageformerError if it is not there."""
    return _first_rows(path, kind, rows) if sentence is None else _one_row(path, kind, sentence)


def rows_beside(data: Path, split: str, kind: str, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the rows of these sentences in the table that the stage of ``kind`` made of this split; {} without one."""
    path = data / MADE_BY[kind] / f"{split}.parquet"
    return _rows(path, kind, ids) if path.exists() else {}


def _rows(path: Path, kind: str, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    wanted = pa.array(ids, pa.int64())
    found: dict[int, dict[str, Any]] = {}
    for batch in read_batches(path, kind):
        with decoded(path, kind):
            found.update({row["id"]: row for row in batch.filter(pc.is_in(batch["id"], wanted)).to_pylist()})
        if len(found) == len(wanted):
            break
    return found


def _one_row(path: Path, kind: str, sentence: int) -> list[dict[str, Any]]:
    found = list(_rows(path, kind, [sentence]).values())
    if not found:
        raise StageformerError(
            f"{path}: no sentence {sentence} among its {open_table(path, kind).metadata.num_rows:,} rows"
        )
    return found


def _first_rows(path: Path, kind: str, rows: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for batch in read_batches(path, kind):
        with decoded(path, kind):
            found += batch.slice(0, rows - len(found)).to_pylist()
        if len(found) >= rows:
            break
    return found


def _vocabularies(folder: Path) -> dict[str, list[str]]:
    """The tokens by id of each side, if the vocabularies are beside the table."""
    if not any(folder.glob("vocabulary*.parquet")):
        return {}
    vocabularies = load_vocabularies(folder)
    return {"source": vocabularies.source.tokens, "target": vocabularies.target.tokens}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " | ".join(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
