"""What `stageformer show` says about each kind of artifact, and how it lays text out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from stageformer.artifacts.files import write_json
from stageformer.artifacts.tables import write_table
from stageformer.artifacts.tensors import write_tensors
from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.memory.writer import MemoryWriter
from stageformer.terminal import show as library
from stageformer.terminal.show import human_size, show
from stageformer.terminal.text import aligned, clean, display_width, labelled, wrap

LOCK = """\
schema: '2.0'
stages:
  tokenize:
    cmd: python -m stages.tokenize
    deps:
    - path: data/ingest
      hash: md5
      md5: 0123456789abcdef.dir
    - path: data/check/code/tokenize.txt
      md5: 5555555555555555
    params:
      params.yaml:
        tokenize:
          kind: bpe
          vocabulary_size: 4000
    outs:
    - path: data/tokenize
      hash: md5
      md5: fedcba9876543210.dir
  vocab:
    cmd: python -m stages.vocab
    outs:
    - path: data/vocab
      md5: 1111111122222222.dir
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project: three sentences through all stages."""
    root = tmp_path_factory.mktemp("project")
    (root / "dvc.lock").write_text(LOCK)
    data = root / "data"
    sentences = {
        "id": [10, 11, 12],
        "source": ["Connection lost", "שלום world", "世界" * 60],
        "target": ["Verbindung verloren", "Welt\x1b[31m", "Welt"],
        "references": [["Verbindung verloren", "Keine Verbindung"], ["Welt"], ["Welt"]],
        "group": ["mqtt", "", ""],
    }
    write_table(data / "ingest" / "train.parquet", "sentences", [sentences])
    tokens = {
        "id": [10, 11, 12],
        "source_tokens": [["Conn", "ection", "lost"], ["שלום", "world"], ["世界"] * 60],
        "target_tokens": [["Ver", "bindung", "verloren"], ["Welt"], ["Welt"]],
    }
    write_table(data / "tokenize" / "train.parquet", "tokens", [tokens])
    names = ["<pad>", "<bos>", "<eos>", "<unk>", "Conn", "ection", "lost", "Ver", "bindung", "verloren", "Welt"]
    counts = [0, 0, 0, 0, 9, 8, 7, 6, 5, 4, 3]
    write_table(
        data / "vocab" / "vocabulary.parquet",
        "vocabulary",
        [{"token": names, "id": range(len(names)), "count": counts}],
    )
    ids = {
        "id": [10, 11, 12],
        "source_ids": [[4, 5, 6, 2], [3, 3, 2], [3] * 60 + [2]],
        "target_ids": [[1, 7, 8, 9, 2], [1, 10, 2], [1, 99, 2]],
    }
    write_table(data / "vocab" / "train.parquet", "ids", [ids])
    torch.manual_seed(0)
    write_tensors(
        data / "embed" / "embedding.pt", "embedding", {"shared": torch.eye(11)}, {"d_model": 11, "scale": True}
    )
    lengths = np.array([4, 3, 61])
    writer = MemoryWriter(
        data / "encode" / "train", np.array([10, 11, 12]), lengths, width=8, dtype="float32",
        fingerprint="f00d", shard_tokens=10,
    )  # fmt: skip
    for shard in writer.shards():
        for row in shard.rows:
            present = torch.ones(1, int(lengths[row]), dtype=torch.bool)
            shard.put(np.array([row]), torch.ones(*present.shape, 8), present)
    write_table(
        data / "evaluate" / "translations.parquet",
        "translations",
        [
            {
                "id": [10], "source": ["Connection lost"], "references": [["Verbindung verloren"]],
                "translation": ["Verbindung weg"], "greedy": ["Verbindung"], "score": [-0.25], "bleu": [12.5],
                "chrf": [40.0], "exact_match": [False],
            }
        ],
    )  # fmt: skip
    write_table(
        data / "translate" / "hypotheses.parquet",
        "hypotheses",
        [
            {
                "id": [10], "beam_ids": [[7, 8]], "beam_score": [-0.25], "beam_log_probability": [-0.5],
                "greedy_ids": [[7, 99]], "target_log_probability": [-1.5],
            }
        ],
    )  # fmt: skip
    write_json(root / "reports" / "ingest" / "metrics.json", {"dropped": {"equal": 3, "ratio": 0.25}, "train": 3})
    return root


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_sentences(root: Path) -> None:
    found = lines(show(root / "data/ingest/train.parquet", width=100, rows=2))
    assert found[0].endswith("data/ingest/train.parquet: sentences")
    assert found[1:4] == ["made by ingest", "schema version 1", "rows 3 in 1 row groups"]
    assert "columns id: int64, source: string, target: string, references: list<string>, group: string" in found
    assert "sentence 10 (group mqtt)" in found
    assert "references Verbindung verloren | Keine Verbindung" in found
    assert "source שלום world" in found
    assert r"target Welt\x1b[31m" in found
    assert "sentence 12" not in found


def test_tokens_beside_text(root: Path) -> None:
    found = lines(show(root / "data/tokenize/train.parquet", width=100, sentence=10))
    assert found[-4:] == [
        "source text Connection lost",
        "source tokens (3) Conn ection lost",
        "target text Verbindung verloren",
        "target tokens (3) Ver bindung verloren",
    ]


def test_ids_beside_tokens_beside_text(root: Path) -> None:
    text = show(root / "data/vocab/train.parquet", width=100, sentence=10)
    assert text.splitlines()[-8:] == [
        "  source text    Connection lost",
        "  source tokens  Conn ection lost",
        "  in vocabulary  Conn ection lost <eos>",
        "  source ids     4    5      6    2",
        "  target text    Verbindung verloren",
        "  target tokens        Ver bindung verloren",
        "  in vocabulary  <bos> Ver bindung verloren <eos>",
        "  target ids     1     7   8       9        2",
    ]
    assert "(outside the vocabulary)" in show(root / "data/vocab/train.parquet", sentence=12)


def test_ids_without_the_stages_before(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "alone" / "train.parquet"
    path.parent.mkdir()
    path.write_bytes((root / "data/vocab/train.parquet").read_bytes())
    assert show(path, sentence=10).splitlines()[-2:] == ["  source ids  4 5 6 2", "  target ids  1 7 8 9 2"]


def test_vocabulary(root: Path) -> None:
    found = lines(show(root / "data/vocab/vocabulary.parquet", rows=6))
    assert "rows 11 in 1 row groups" in found
    assert found[-7:] == [
        "id count token",
        "0 0 <pad>",
        "1 0 <bos>",
        "2 0 <eos>",
        "3 0 <unk>",
        "4 9 Conn",
        "5 8 ection",
    ]


def test_memory(root: Path) -> None:
    found = lines(show(root / "data/encode/train", width=100, rows=2))
    assert found[0].endswith("data/encode/train: memory")
    for line in (
        "made by encode",
        "shape [3 sentences, up to 61 tokens, 8], float32",
        "tokens 68 in 2 shards, padding left out",
        "lengths 3 to 61 tokens, median 4",
        "encoder fingerprint f00d",
        "checksums good",
        "sentence 10, 4 tokens",
        "memory [4, 8], mean 1, std 0",
        "tokens Conn ection lost <eos>",
    ):
        assert line in found
    assert "sentence 12, 61 tokens" in lines(show(root / "data/encode/train", sentence=12))


def test_damaged_memory_is_reported(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encode" / "train"
    folder.mkdir(parents=True)
    for shard in (root / "data/encode/train").iterdir():
        content = bytearray(shard.read_bytes())
        content[content.index(np.ones(8, np.float32).tobytes()) + 2] ^= 1
        (folder / shard.name).write_bytes(content)
    with pytest.raises(StageformerError, match=r"memory-00000.pt: damaged"):
        show(folder)


def test_tensors(root: Path) -> None:
    found = lines(show(root / "data/embed/embedding.pt", width=100))
    assert found[0].endswith("embedding.pt: embedding")
    assert "tensors 1, 121 numbers in all" in found
    assert "d_model 11" in found
    assert "scale True" in found
    assert found[-1] == "shared [11, 11] float32 0.09091 0.2875 0 1"
    assert "checksums good" in found


def test_translations(root: Path) -> None:
    found = lines(show(root / "data/evaluate/translations.parquet", width=100))
    assert "translation Verbindung weg" in found
    assert "bleu 12.5" in found
    assert "exact_match False" in found


def test_hypotheses_beside_their_tokens(root: Path) -> None:
    found = lines(show(root / "data/translate/hypotheses.parquet", width=100))
    assert found[-8:] == [
        "sentence 10", "beam tokens Ver bindung", "beam ids 7 8", "greedy tokens Ver (outside the vocabulary)",
        "greedy ids 7 99", "beam score -0.25", "beam log probability -0.5", "target log probability -1.5",
    ]  # fmt: skip


def test_json_and_folders(root: Path, tmp_path: Path) -> None:
    found = lines(show(root / "reports/ingest/metrics.json"))
    assert found[-3:] == ["dropped.equal 3", "dropped.ratio 0.25", "train 3"]
    size = (root / "reports/ingest/metrics.json").stat().st_size
    assert lines(show(root / "reports/ingest"))[-1] == f"metrics.json {size} bytes"
    found = lines(show(root / "data/vocab"))
    assert found[-2].endswith("ids, 3 rows")
    assert found[-1].endswith("vocabulary, 11 rows")
    assert lines(show(root / "data/encode"))[-1].endswith("memory, 3 sentences, 68 tokens, D 8, float32")
    assert lines(show(root / "data/embed"))[-1].endswith("embedding, 1 tensors, 121 numbers")
    assert lines(show(root / "data"))[-2].endswith("1 files")
    write_table(tmp_path / "good.parquet", "ids", [])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    found = lines(show(tmp_path))
    assert "damaged: " in found[-2]
    assert found[-1].endswith("ids, 0 rows")


def test_provenance(root: Path) -> None:
    result = CliRunner().invoke(main, ["show", str(root / "data/tokenize/train.parquet")])
    assert result.exit_code == 0, result.output
    found = lines(result.output)
    start = found.index("In dvc.lock (md5 shortened):")
    assert found[start + 1 : start + 9] == [
        "stage tokenize",
        "command python -m stages.tokenize",
        "inputs data/ingest 01234567",
        "code data/check/code/tokenize.txt 55555555",
        "output data/tokenize fedcba98",
        "params",
        "tokenize.kind bpe",
        "tokenize.vocabulary_size 4000",
    ]
    assert "In dvc.lock" not in CliRunner().invoke(main, ["show", str(root / "data/ingest")]).output


def test_command_line(root: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert "sentence 12" in run(main, ["show", str(root / "data/ingest/train.parquet"), "--id", "12"]).output
    result = run(main, ["show", str(root / "data/ingest/train.parquet"), "--rows", "1"])
    assert "sentence 10" in result.output
    assert "sentence 11" not in result.output
    result = run(main, ["show", str(root / "data/ingest/train.parquet"), "--id", "99"])
    assert result.exit_code == 2
    assert "no sentence 99 among its 3 rows" in result.output
    result = run(main, ["memory", "export", str(root / "data/encode/train"), str(tmp_path / "out"), "--format", "npy"])
    assert result.exit_code == 0, result.output
    assert "MiB" in result.output
    assert np.load(tmp_path / "out" / "memory.npy").shape == (3, 61, 8)


def test_mistakes(root: Path, tmp_path: Path) -> None:
    for path, sentence, message in (
        (tmp_path / "none", None, "none: no such file or folder"),
        (root / "data/vocab/vocabulary.parquet", 1, "a vocabulary has no sentences"),
        (root / "data/embed/embedding.pt", 1, "--id 1 needs a table of sentences or a folder of memory"),
        (root / "data/encode/train", 1, "no sentence 1 among the 3"),
    ):
        with pytest.raises(StageformerError, match=message):
            show(path, sentence=sentence)


def test_tables_do_not_import_torch(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stageformer.terminal.show import show\n"
        "for name in sys.argv[1:]: show(Path(name))\n"
        "assert 'torch' not in sys.modules"
    )
    paths = [root / "data" / name for name in ("ingest/train.parquet", "vocab/train.parquet", "vocab")]
    source = str(Path(library.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code, *paths], check=True, env={"PYTHONPATH": source})


@pytest.mark.parametrize("width", [20, 40, 100])
def test_lines_keep_to_the_terminal(root: Path, width: int) -> None:
    for name in ("ingest/train.parquet", "vocab/train.parquet", "tokenize/train.parquet"):
        text = show(root / "data" / name, width=width, rows=3).split("sentence 10", 1)[1]
        # Beside the widest label there are always ten cells of text.
        assert max(map(display_width, text.splitlines())) <= max(width, 42)


@given(st.text(), st.integers(2, 30))
def test_wrap_loses_nothing_and_fits(text: str, width: int) -> None:
    found = wrap(text, width)
    assert all(display_width(line) <= width for line in found)
    assert "".join("".join(found).split()) == "".join(clean(text).split())
    clean(text).encode()  # No lone surrogate is left.


@given(st.lists(st.text(max_size=8), min_size=1, max_size=12), st.integers(10, 60))
def test_aligned_and_labelled_take_any_text(cells: list[str], width: int) -> None:
    assert aligned(["a", "b"], [cells, cells[:1]], width)
    assert len(labelled([("a", cell) for cell in cells], width)) >= len(cells)


def test_widths_and_sizes() -> None:
    assert (display_width("abc"), display_width("世界"), display_width("e\u0301")) == (3, 4, 1)
    assert clean("a\u202eb\tc") == r"a\u202eb\tc"
    assert [human_size(n) for n in (5, 2048, 3 * 2**20, 2**31)] == ["5 bytes", "2.0 KiB", "3.0 MiB", "2.0 GiB"]


def test_json_has_the_same_facts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)

    def found(*arguments: str) -> Any:
        result = CliRunner().invoke(main, ["show", *arguments, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    table = found("data/ingest/train.parquet", "--rows", "1")
    assert (table["kind"], table["made_by"], table["rows"]) == ("sentences", "ingest", 3)
    assert table["columns"]["id"] == "int64"
    assert [row["source"] for row in table["sample"]] == ["Connection lost"]
    assert found("data/ingest/train.parquet", "--id", "11")["sample"][0]["target"] == "Welt\x1b[31m"
    tensor = found("data/embed/embedding.pt")["tensors"]["shared"]
    expected = {"shape": [11, 11], "type": "float32", "mean": 1 / 11, "std": (10 / 121) ** 0.5, "min": 0.0, "max": 1.0}
    assert {name: value if name in ("shape", "type") else pytest.approx(value) for name, value in tensor.items()} == (
        expected
    )
    memory = found("data/encode/train", "--rows", "2")
    assert (memory["sentences"], memory["tokens"], memory["longest"], memory["encoder"]) == (3, 68, 61, "f00d")
    sample = [(row["id"], row["shape"], row["mean"]) for row in memory["sample"]]
    assert sample == [(10, [4, 8], 1.0), (11, [3, 8], 1.0)]
    assert found("reports/ingest/metrics.json")["content"]["dropped"] == {"equal": 3, "ratio": 0.25}
    assert [entry["name"] for entry in found("data")["entries"]] == sorted(path.name for path in Path("data").iterdir())
    assert found("data/vocab/vocabulary.parquet", "--rows", "5")["sample"][4] == {"token": "Conn", "id": 4, "count": 9}


def test_a_file_of_the_root_is_named_from_a_subfolder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        (root / name).touch()
    (root / "docs").mkdir(exist_ok=True)
    monkeypatch.chdir(root / "docs")
    for command in (["show", "data/vocab"], ["memory", "export", "data/encode/train", "out"]):
        result = CliRunner().invoke(main, command)
        path = command[-2] if command[0] == "memory" else command[-1]
        message = f"error: {path}: not in this folder, but in the root of the repository: ../{path}\n"
        assert (result.exit_code, result.stderr) == (2, message)
    result = CliRunner().invoke(main, ["show", "nothing"])
    assert result.stderr == "error: nothing: no such file or folder\n"
    result = CliRunner().invoke(main, ["show", "../data/none"])
    assert result.stderr == "error: ../data/none: no such file or folder; make it with `dvc repro`\n"


def test_the_padded_copy_says_its_shape_and_files(root: Path, tmp_path: Path) -> None:
    arguments = ["memory", "export", str(root / "data/encode/train"), str(tmp_path / "out"), "--json"]
    found = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert found["shape"] == [3, 61, 8]
    assert all(Path(path).is_file() for path in found["files"])


def test_labels_below_their_sentences_or_words(tmp_path: Path) -> None:
    rows = {"id": [1, 2, 3], "source": ["the dog", "It rains", "one"], "target": ["", "", ""]}
    rows |= {"references": [[""], [""], [""]], "group": ["", "", ""]}
    write_table(tmp_path / "data/ingest/test.parquet", "sentences", [rows])
    labels = {"id": [1, 2, 3], "labels": [["DT", "NN"], ["weather"], []]}
    write_table(tmp_path / "data/ingest/labels/test.parquet", "labels", [labels])
    found = lines(show(tmp_path / "data/ingest/labels/test.parquet", width=80))
    assert found[-11:] == [
        "sentence 1", "words the dog", "labels DT NN", "",
        "sentence 2", "source It rains", "labels weather", "",
        "sentence 3", "source one", "labels",
    ]  # fmt: skip
