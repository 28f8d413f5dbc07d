"""Tables and JSON: same bytes, atomic, and one clear line for every way in which a file can be wrong."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageformer.artifacts import files
from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.header import MADE_BY, SCHEMA_VERSION
from stageformer.artifacts.reading import read_json
from stageformer.artifacts.tables import ROWS_PER_GROUP, SCHEMAS, open_table, read_batches, read_table, write_table
from stageformer.errors import StageformerError

DOCUMENT = Path(__file__).parents[2] / "docs" / "artifacts.md"


def vocabulary(count: int) -> dict[str, list[object]]:
    return {
        "token": [f"t{i}" for i in range(count)],
        "id": list(range(count)),
        "count": [count - i for i in range(count)],
    }


def write_vocabulary(path: Path, count: int = 50) -> Path:
    write_table(path, "vocabulary", [vocabulary(count)])
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no mount command here")
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_roundtrip_of_every_kind(tmp_path: Path) -> None:
    samples = {pa.int64(): 3, pa.int32(): 4, pa.string(): "שלום 世界", pa.float32(): 0.5, pa.float64(): 0.1,
               pa.bool_(): True}
    for kind, schema in SCHEMAS.items():
        row = {f.name: [samples.get(f.type) or [samples[f.type.value_type]]] for f in schema}
        path = tmp_path / f"{kind}.parquet"
        assert write_table(path, kind, [row]) == 1
        assert read_table(path, kind).to_pydict() == row
        assert next(iter(read_batches(path, kind))).to_pydict() == row


def test_empty_table_keeps_its_schema(tmp_path: Path) -> None:
    assert write_table(tmp_path / "a.parquet", "ids", []) == 0
    assert read_table(tmp_path / "a.parquet", "ids").schema.equals(SCHEMAS["ids"])


def test_bytes_depend_on_the_rows_alone(tmp_path: Path) -> None:
    """Other batch sizes, file name and folder: the same bytes, and full row groups."""
    count = 2 * ROWS_PER_GROUP + 77
    whole = pa.table(vocabulary(count), SCHEMAS["vocabulary"])
    files = []
    for size in (count, 1000, ROWS_PER_GROUP, ROWS_PER_GROUP + 1):
        path = tmp_path / f"run{size}" / f"{size}.parquet"
        assert write_table(path, "vocabulary", whole.to_batches(max_chunksize=size)) == count
        files.append(path.read_bytes())
    assert all(file == files[0] for file in files)
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(i).num_rows for i in range(3)] == [ROWS_PER_GROUP, ROWS_PER_GROUP, 77]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=4), max_size=6), max_size=5),
)
def test_lists_in_any_batches_give_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, batches: list) -> None:
    folder = tmp_path_factory.mktemp("lists")
    rows = [row for batch in batches for row in batch]

    def columns(part: list) -> dict[str, list]:
        return {"id": [len(row) for row in part], "source_ids": part, "target_ids": part[::-1]}

    def record(part: list) -> pa.RecordBatch:
        values = columns(part)
        return pa.record_batch([pa.array(values[f.name], f.type) for f in SCHEMAS["ids"]], schema=SCHEMAS["ids"])

    whole = record(rows)
    bounds = [0]
    for batch in batches:
        bounds.append(bounds[-1] + len(batch))
    write_table(folder / "a", "ids", [whole.slice(a, b - a) for a, b in itertools.pairwise(bounds)])
    write_table(folder / "b", "ids", [columns(rows)])
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    assert pq.read_table(folder / "a").to_pydict() == columns(rows)


def test_other_process_gives_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stageformer.artifacts.tables import write_table\n"
        "n = 50; write_table(Path(sys.argv[1]), 'vocabulary',"
        " [{'token': [f't{i}' for i in range(n)], 'id': list(range(n)), 'count': [n - i for i in range(n)]}])\n"
        "assert 'torch' not in sys.modules"
    )
    source = Path(files.__file__).parents[2]
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(source)}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=environment)
        assert (tmp_path / seed).read_bytes() == write_vocabulary(tmp_path / "here").read_bytes()


def test_opens_without_the_library(tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "v.parquet")
    code = (
        "import sys; sys.modules['stageformer'] = None\n"
        "import pandas, pyarrow.parquet\n"
        "table = pandas.read_parquet(sys.argv[1])\n"
        "assert list(table.columns) == ['token', 'id', 'count'] and len(table) == 50 and table.token[3] == 't3'\n"
        "assert str(table['id'].dtype) == 'int32'\n"
        "assert pyarrow.parquet.read_table(sys.argv[1]).num_rows == 50"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "v.parquet")], check=True, env=environment, cwd=tmp_path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"no such file.*'vocabulary'.*dvc repro --force vocab"):
        read_table(tmp_path / "x.parquet", "vocabulary")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"token,id\na,1\n", b"\x80\x04." * 100])
def test_empty_and_foreign_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(StageformerError, match=r"x.parquet: not a readable Parquet file.*make it again"):
        read_table(tmp_path / "x.parquet", "vocabulary")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_cut_off(tmp_path: Path, part: float) -> None:
    path = write_vocabulary(tmp_path / "x.parquet", 3000)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(StageformerError, match="not a readable Parquet file"):
        read_table(path, "vocabulary")


def test_changed_byte_in_a_page(tmp_path: Path) -> None:
    """Each page has a checksum: no changed value is ever read as a good one."""
    path = write_vocabulary(tmp_path / "x.parquet", 3000)
    content = path.read_bytes()
    columns = pq.ParquetFile(path).metadata.row_group(0)
    for i in range(columns.num_columns):
        column = columns.column(i)
        end = (column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size
        changed = bytearray(content)
        changed[end - 10] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(StageformerError, match=r"x.parquet: damaged .*make it again"):
            read_table(path, "vocabulary")
        with pytest.raises(StageformerError, match="damaged"):
            list(read_batches(path, "vocabulary"))


def test_wrong_kind(tmp_path: Path) -> None:
    path = write_vocabulary(tmp_path / "x.parquet")
    with pytest.raises(
        StageformerError, match=r"found an artifact of kind 'vocabulary', needed kind 'ids'.*force vocab"
    ):
        open_table(path, "ids")


def test_table_of_another_writer_is_foreign(tmp_path: Path) -> None:
    pq.write_table(pa.table(vocabulary(3), SCHEMAS["vocabulary"]), tmp_path / "x.parquet")
    with pytest.raises(StageformerError, match="a file that Stageformer did not write"):
        open_table(tmp_path / "x.parquet", "vocabulary")


@pytest.mark.parametrize("header", [b"{broken", b"\xff", b"[1]", b'"x"', b'{"kind": 3}'])
def test_odd_header_is_foreign(tmp_path: Path, header: bytes) -> None:
    schema = SCHEMAS["vocabulary"].with_metadata({"stageformer": header})
    pq.write_table(pa.table(vocabulary(3), schema), tmp_path / "x.parquet")
    with pytest.raises(StageformerError, match="a file that Stageformer did not write"):
        open_table(tmp_path / "x.parquet", "vocabulary")


def test_wrong_version_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    header = {"kind": "vocabulary", "schema_version": SCHEMA_VERSION + 1}
    pq.write_table(pa.table({"id": [1]}).replace_schema_metadata({"stageformer": json.dumps(header)}), path)
    with pytest.raises(
        StageformerError, match=f"found schema version {SCHEMA_VERSION + 1}, needed {SCHEMA_VERSION};.*vocab"
    ):
        open_table(path, "vocabulary")
    header["schema_version"] = SCHEMA_VERSION
    pq.write_table(pa.table({"id": [1]}).replace_schema_metadata({"stageformer": json.dumps(header)}), path)
    with pytest.raises(StageformerError, match=r"found the columns \(id: int64\), needed \(token: string, id: int32"):
        open_table(path, "vocabulary")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_interrupted_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = write_vocabulary(tmp_path / "x.parquet")
    before = path.read_bytes()

    def batches() -> Iterator[dict[str, list[object]]]:
        yield vocabulary(ROWS_PER_GROUP)
        raise error

    with pytest.raises(error):
        write_table(path, "vocabulary", batches())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_in_the_middle_of_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_vocabulary(tmp_path / "x.parquet")
    before = path.read_bytes()
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    for write in (lambda: write_vocabulary(path, 60), lambda: write_json(path, {"a": 1})):
        with pytest.raises(StageformerError, match=r"x.parquet: the disk is full .*MiB free.*was not replaced"):
            write()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_errors_of_the_disk_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="broken wire"), atomic_file(tmp_path / "x"):
        raise OSError(5, "broken wire")


def test_really_full_disk(small_disk: Path) -> None:
    path = write_vocabulary(small_disk / "x.parquet")
    before = path.read_bytes()
    batches = (
        {"token": [os.urandom(20).hex() for _ in range(5000)], "id": range(5000), "count": range(5000)}
        for _ in range(20)
    )
    with pytest.raises(StageformerError, match="the disk is full"):
        write_table(path, "vocabulary", batches)
    assert path.read_bytes() == before
    assert list(small_disk.iterdir()) == [path]


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.json"
    write_json(path, {"b": 1, "a": "שלום"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "שלום",\n  "b": 1\n}\n'
    assert read_json(path) == {"a": "שלום", "b": 1}
    path.write_text("{")
    with pytest.raises(StageformerError, match=r"x.json: not readable as JSON"):
        read_json(path)
    path.unlink()
    with pytest.raises(StageformerError, match=r"x.json: no such file"):
        read_json(path)


def test_document_states_every_schema() -> None:
    """The tables of columns in docs/artifacts.md are those of SCHEMAS."""
    sections = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    documented = {}
    for section in sections:
        if kind := re.search(r"^Kind: `(\w+)`", section, flags=re.MULTILINE):
            documented[kind[1]] = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", section, flags=re.MULTILINE)
    assert set(documented) == set(MADE_BY) | {"padded_memory"}
    spelled = {"float": "float32", "double": "float64"}
    items = {"string": "string", "int32": "int32", "float": "float32"}
    spelled |= {f"list<element: {item}>": f"list<{name}>" for item, name in items.items()}
    for kind, schema in SCHEMAS.items():
        assert documented[kind] == [(f.name, spelled.get(str(f.type), str(f.type))) for f in schema]
    for kind, stage in MADE_BY.items():
        section = next(s for s in sections if f"Kind: `{kind}`" in s)
        assert f"written by `{stage}`" in section
