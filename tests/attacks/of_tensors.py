"""Files of tensors with a right header and absurd content, and damaged ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.harness import Attack, anything, attacks
from tests.attacks.making import DROP, bytes_of, metadata, tensors, write, zipped

MODEL = "data/train_decoder/model.pt"
ENCODER = "data/train_encoder/encoder.pt"
EMBEDDING = "data/embed/embedding.pt"
POSITIONS = "data/embed/positions.pt"
SHARD = "data/encode/test/memory-00000.pt"
USERS = {
    MODEL: [("translate", "one"), ("show", MODEL), ("stages.translate",), ("explain", "one", "--kind", "cross")],
    ENCODER: [("stages.encode",), ("stages.train_decoder",), ("show", ENCODER)],
    EMBEDDING: [("stages.train_encoder",), ("show", EMBEDDING)],
    POSITIONS: [("stages.train_encoder",)],
    SHARD: [("show", "data/encode/test"), ("memory", "export", "data/encode/test", "o"), ("stages.translate",)],
}


def _first(change: Callable[[Any], Any]) -> Callable[[Any], None]:
    def changed(content: Any) -> None:
        name = next(name for name, value in content["tensors"].items() if value.is_floating_point())
        content["tensors"][name] = change(content["tensors"][name])

    return changed


def _quantised(tensor: Any) -> Any:
    import torch

    return torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.quint8)


def _named(name: Any) -> Callable[[Any], None]:
    def changed(content: Any) -> None:
        first = next(iter(content["tensors"]))
        content["tensors"][name] = content["tensors"].pop(first)

    return changed


HOSTILE = b"cos\nsystem\n(S'touch pwned'\ntR."
"""A pickle that runs a command when it is loaded."""

KINDS: dict[str, Callable[[Any], Any]] = {
    "a sparse tensor": _first(lambda t: t.to_sparse()),
    "a compressed sparse tensor": _first(lambda t: (t if t.dim() == 2 else t[None]).to_sparse_csr()),
    "a quantised tensor": _first(_quantised),
    "a tensor without storage": _first(lambda t: t.to("meta")),
    "a tensor of stride 0": _first(lambda t: t.flatten()[:1].expand(10**9)),
    "a transposed tensor": _first(lambda t: t.new_ones(3, 5).t()),
    "complex numbers": _first(lambda t: t.to(dtype=__import__("torch").complex64)),
    "whole numbers": _first(lambda t: t.long()),
    "half precision": _first(lambda t: t.half()),
    "a tensor that is a number": _first(lambda t: 3),
    "a tensor that is a list": _first(lambda t: [t]),
    "a tensor that is None": _first(lambda t: None),
    "a scalar": _first(lambda t: t.sum()),
    "an empty tensor": _first(lambda t: t[:0]),
    "one dimension more": _first(lambda t: t[None]),
    "one row less": _first(lambda t: t[1:]),
    "NaN": _first(lambda t: t * float("nan")),
    "infinity": _first(lambda t: t + float("inf")),
    "a name that is a number": _named(7),
    "a name that is a tuple": _named((1, 2)),
    "an unknown name": _named("a.b"),
    "no tensors": lambda c: c["tensors"].clear(),
    "tensors that are a list": lambda c: c.update(tensors=[1]),
    "metadata that is None": lambda c: c.update(metadata=None),
    "empty metadata": lambda c: c["metadata"].clear(),
    "no metadata": lambda c: c.pop("metadata") and None,
    "a list": lambda c: [c],
    "another kind": lambda c: c.update(kind="vocabulary"),
    "a kind that is a number": lambda c: c.update(kind=3),
    "another version": lambda c: c.update(schema_version=99),
    "a version that is text": lambda c: c.update(schema_version="\x1b[31mRED\nsecond line"),
    "a version that is a list": lambda c: c.update(schema_version=[[]] * 10),
}  # fmt: skip
HARMLESS_TO_SHOW = {
    "complex numbers", "whole numbers", "half precision", "a scalar", "an empty tensor", "one dimension more",
    "one row less", "another kind", "NaN", "infinity", "an unknown name", "no tensors", "empty metadata",
}  # fmt: skip
"""`show` describes them; what uses the file refuses them."""


@attacks("tensors: absurd content")
def absurd() -> Iterator[Attack]:
    for path, users in USERS.items():
        for kind, change in KINDS.items():
            for user in users if kind in HARMLESS_TO_SHOW else users[:2]:
                shown = user[0] == "show" and kind in HARMLESS_TO_SHOW and path != SHARD
                not_read = user == ("show", "data/encode/test") and kind in ("NaN", "infinity")
                right = anything if shown or not_read else None
                yield Attack(f"{' '.join(user)}: {kind}", user, tensors(path, change), right=right)


SIZES: dict[str, Any] = {
    "config__encoder__num_heads": [0, -1, 3, 10**12, "2", None, 2.0, True],
    "config__encoder__num_layers": [0, -1, 10**6, 10**12, "1", [1]],
    "config__encoder__d_ff": [0, -1, 10**12, 2**70, float("nan")],
    "config__encoder__d_model": [0, 10**12, 15, "16", {}],
    "config__encoder__norm": ["none", 3, None],
    "config__encoder__activation": ["\x1b[31m", []],
    "config__source__vocabulary_size": [0, 10**12, -5, None],
    "config__source__max_length": [0, 10**13, -1, "300"],
    "config__source__positions": ["nowhere", 1, None],
    "config__source__d_model": [10**12, 8],
    "config__source": [DROP, None, [], {"a": 1}],
    "config": [DROP, None, 3, {}],
    "encoder_fingerprint": [DROP, None, 3, b"x".decode()],
}


@attacks("tensors: absurd sizes")
def sizes() -> Iterator[Attack]:
    for key, values in SIZES.items():
        for value in values:
            prepare = metadata(MODEL, **{key: value})
            shown = "DROP" if value is DROP else repr(value)
            for user in (("translate", "one"), ("stages.translate",)):
                # An encoder by another name only loses its saved memory.
                right = anything if key == "encoder_fingerprint" and value == "x" else None
                yield Attack(f"{user[0]}: {key} {shown}", user, prepare, right=right)
    for key in ("d_model", "scale", "shared", "positions", "max_length"):
        for value in (DROP, None, "x", 10**12, -1, []):
            shown = "DROP" if value is DROP else repr(value)
            yield Attack(f"embedding.pt: {key} {shown}", ("stages.train_encoder",), metadata(EMBEDDING, **{key: value}))
    for key in ("d_model", "dtype", "fingerprint", "num_shards", "num_sentences", "num_tokens", "shard",
                "total_sentences"):  # fmt: skip
        for value in (DROP, None, "x", 10**9, -1, []):
            shown = "DROP" if value is DROP else repr(value)
            # A memory of another maker is left aside, and the encoder runs.
            right = anything if (key, value) == ("fingerprint", "x") else None
            for user in (("stages.translate",), ("show", "data/encode/test")):
                yield Attack(f"memory, {user[0]}: {key} {shown}", user, metadata(SHARD, **{key: value}), right=right)
    for name, change in {
        "offsets that fall": lambda c: c["tensors"]["offsets"].__setitem__(1, 10**6),
        "offsets below zero": lambda c: c["tensors"]["offsets"].__setitem__(1, -4),
        "an id twice": lambda c: c["tensors"]["ids"].fill_(3),
        "other ids": lambda c: c["tensors"]["ids"].add_(1000),
        "other lengths": lambda c: c["tensors"]["offsets"].__setitem__(slice(1, -1), c["tensors"]["offsets"][1:-1] + 1),
        "half of the offsets": lambda c: c["tensors"].__setitem__("offsets", c["tensors"]["offsets"][::2].clone()),
        "vectors of another width": lambda c: c["tensors"].__setitem__("values", c["tensors"]["values"][:, :8].clone()),
    }.items():
        yield Attack(f"memory: {name}", ("stages.translate",), tensors(SHARD, change))


@attacks("tensors: damaged files")
def damaged() -> Iterator[Attack]:
    import pickle

    for number in range(12):
        def flip(data: bytes, number: int = number) -> bytes:
            place = len(data) * (2 * number + 1) // 24
            return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]

        yield Attack(f"a flipped bit, {number}", ("translate", "one"), bytes_of(MODEL, flip), right=_same)
        yield Attack(f"cut off, {number}", ("translate", "one"),
                     bytes_of(MODEL, lambda data, n=number: data[: len(data) * n // 12]))  # fmt: skip
    for name, change in {
        "an entry less": lambda entries: entries[:-3],
        "an entry twice": lambda entries: [*entries, entries[-1]],
        "no entries": lambda entries: [],
        "a name that climbs": lambda entries: [*entries, ("../../climbs", b"x")],
        "a name with an escape": lambda entries: [*entries, ("a\x1b[31m\nb", b"x"), ("a\x1b[31m\nb", b"x")],
        "other bytes of the first": lambda entries: [(entries[0][0], HOSTILE), *entries[1:]],
        "an empty pickle": lambda entries: [(entries[0][0], b""), *entries[1:]],
        "a pickle of a class": lambda entries: [(entries[0][0], pickle.dumps(Path("x"))), *entries[1:]],
    }.items():
        for user in (("translate", "one"), ("show", MODEL)):
            right = anything if name == "a name that climbs" else None
            yield Attack(f"{user[0]}: {name}", user, zipped(MODEL, change), right=right)
    for name, content in {
        "text": b"a text\n", "a pickle": pickle.dumps({"kind": "model"}), "a hostile pickle": HOSTILE,
        "zeros": bytes(10_000), "a zip of nothing": b"PK\x05\x06" + bytes(18),
    }.items():  # fmt: skip
        for user in (("translate", "one"), ("show", MODEL)):
            yield Attack(f"{user[0]}: {name}", user, write(MODEL, content))


def _same(outcome: Any) -> bool:
    """A bit in the padding between entries, or in a time: the numbers are the same."""
    return outcome.stdout == UNTOUCHED["translate one"]


UNTOUCHED: dict[str, str] = {}
"""What commands print in the world that nothing has happened to, filled in by whoever runs the attacks."""
