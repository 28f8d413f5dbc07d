import json
import struct
import zlib

import pytest

from stageformer.experiments.experiment import Experiment
from stageformer.report.write import write_report
from stageformer.scoring.translated import PATH, Translated, translations_json

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'<!--"

PIPELINE = """\
stages:
  train:
    desc: Trains the model
    cmd: "true"
    deps: [src/train.py, data/ingest/train.parquet, data/vocab]
    outs: [data/train/model.pt]
  ingest:
    desc: Reads <b>text</b> & splits it
    cmd: "true"
    deps: [src/ingest.py]
    outs:
      - data/ingest/train.parquet
      - data/ingest/test.parquet:
          cache: true
  vocab:
    cmd: "true"
    deps: [data/ingest/train.parquet]
    outs: [data/vocab]
    metrics:
      - reports/vocab/metrics.json:
          cache: false
  evaluate:
    desc: Translates and scores
    cmd: "true"
    deps: [data/train/model.pt, data/ingest/test.parquet]
    outs: [data/evaluate/translations.parquet]
"""

LOCK = """\
schema: '2.0'
stages:
  ingest:
    cmd: "true"
    outs:
    - {path: data/ingest/test.parquet, hash: md5, md5: aa, size: 1024}
    - {path: data/ingest/train.parquet, hash: md5, md5: bb, size: 2048}
  vocab:
    cmd: "true"
    outs:
    - {path: data/vocab, hash: md5, md5: cc.dir, size: 512, nfiles: 2}
    - {path: reports/vocab/metrics.json, hash: md5, md5: dd, size: 38}
  train:
    cmd: "true"
    outs:
    - {path: data/train/model.pt, hash: md5, md5: MODEL, size: 5767168}
"""


def png(width=8, height=6, shade=200):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + bytes([shade] * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def translations(number=60, gain=0.0):
    rows = range(number)
    return {
        "id": [1000 + row for row in rows],
        "source": [f"source {row * 7 % 61} word" if row else HOSTILE for row in rows],
        "references": [[f"Referenz {row}", f"Verweis {row}"] if row % 5 == 0 else [f"Referenz {row}"] for row in rows],
        "translation": [f"Referenz {row}" if row % 10 == 3 else f"Übersetzung {row}{HOSTILE}" for row in rows],
        "score": [-0.25 * (row % 9) for row in rows],
        "bleu": [100.0 if row % 10 == 3 else (row * 37 % 61) + gain for row in rows],
        "chrf": [float(row * 23 % 59) for row in rows],
        "exact_match": [row % 10 == 3 for row in rows],
        "rarest_word": ["001" if row % 2 else "100+" for row in rows],
    }


def make_run(root, *, bleu=20.4, beam_size=4, model="ee", loss=3.0, gain=0.0, number=60):
    """A folder as the pipeline leaves it, small; the arguments are what may differ between two experiments."""

    def write(path, content):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    write("dvc.yaml", PIPELINE)
    write("dvc.lock", LOCK.replace("MODEL", model))
    write(
        "params.yaml",
        "ingest: {source: lines, source_language: en, target_language: de}\n"
        f"train_encoder:\n  training: {{max_updates: 400}}\n"
        f"translate: {{beam_size: {beam_size}, note: {json.dumps(HOSTILE)}}}\n",
    )
    metrics = {
        "beam": {"bleu": bleu, "chrf": 45.25, "ter": 79.5 - bleu / 10, "exact_match": 10.0, "empty": 0},
        "greedy": {"bleu": 18.5, "chrf": 43.0, "ter": 79.4},
        "copy_source": {"bleu": 12.9, "chrf": 26.6},
        "bleu_signature": "nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
        "perplexity": 12.28,
        "sentences": number,
        "split": "test",
    }
    write("reports/evaluate/metrics.json", json.dumps(metrics))
    write("reports/evaluate/by_length.csv", "source_words,sentences,bleu,chrf\n01,16,49.6,40.4\n02-04,44,25.3,49.8\n")
    write("reports/evaluate/by_rarest_word.csv", "occurrences,sentences,bleu\n000,20,9.6\n100+,40,25.3\n")
    write("reports/train/cost.json", json.dumps({"seconds": 308.1, "peak_memory_mib": 812.0}))
    for stage, start in (("train_encoder", 6.0), ("train_decoder", 4.0)):
        for name, height in (("train_loss", start - 0.2), ("valid_loss", start), ("valid_perplexity", 40 * start)):
            lines = [f"{step}\t{height * loss / (3 + step / 200)}" for step in (200, 400, 600)]
            write(f"reports/{stage}/plots/metrics/{name}.tsv", "\n".join([f"step\t{name}", *lines]) + "\n")
    dropped = {"empty": 0, "no_letters": 1200, "duplicate": 3, "leak": 2}
    write("reports/ingest/metrics.json", json.dumps({"dropped": dropped}))
    samples = {"no_letters": [{"source": HOSTILE, "target": "596", "where": "t.tsv:4"}], "leak": []}
    write("reports/ingest/dropped_samples.json", json.dumps(samples))
    classes = [{"label": f"L{n}", "train": 9000 - n, "valid": 1, "test": 0} for n in range(52)]
    write("reports/ingest/labels.json", json.dumps({"labels": classes}))
    write("reports/ingest/lengths.csv", "length,train_source,train_target\n1,20.0,25.0\n2,50.0,40.0\n4,30.0,35.0\n")
    write(
        "reports/tokenize/lengths.csv",
        "length,sentences,side,split\n"
        "1,5,source,train\n3,8,source,train\n2,6,target,train\n4,7,target,train\n9,1,source,test\n",
    )
    coverage = "types,coverage,side\n1,0.1,source\n100,1.0,source\n1,0.2,target\n90,1.0,target\n"
    write("reports/vocab/coverage.csv", coverage)
    write("reports/embed/positions.png", png())
    write("reports/evaluate/attention/1003-cross.png", png(shade=int(bleu)))
    columns = translations(number, gain)
    rows = [Translated(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    write(PATH, translations_json(rows))
    return root


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder with two runs, ``one`` and ``two``."""
    root = tmp_path_factory.mktemp("runs")
    make_run(root / "one")
    make_run(root / "two", bleu=21.71, beam_size=8, model="ff", loss=2.9, gain=1.5)
    return root


@pytest.fixture(scope="session")
def pages(runs, tmp_path_factory):
    """The reports of the first run, and of both."""
    folder = tmp_path_factory.mktemp("pages")
    opened = [Experiment.open(f"./{name}", runs) for name in ("one", "two")]
    write_report(opened[:1], folder / "one.html", root=runs)
    write_report(opened, folder / "two.html", root=runs)
    return folder
