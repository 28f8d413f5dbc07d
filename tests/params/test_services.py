"""The objective ``service``: what of the other parameters does not go with it is refused in one line."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from stageformer.errors import StageformerError
from stageformer.params.groups import check
from stageformer.params.recipes import load_recipe
from stageformer.provenance.code import CHOICES, chosen_values
from stageformer.provenance.named_code import named_code

VALUES: dict[str, Any] = load_recipe("vec2text", Path(__file__).parents[2] / "recipes")
OWN = {"kind": "langchain", "revision": None, "factory": "json:JSONDecoder", "arguments": {}, "batch_size": 1}


def changed(**changes: object) -> dict[str, Any]:
    values = copy.deepcopy(VALUES)
    for name, value in changes.items():
        *groups, leaf = name.split("__")
        place = values
        for group in groups:
            place = place[group]
        place[leaf] = value
    return values


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_encoder__service": None}, "train_encoder.service is null; say there who is asked"),
        ({"train_encoder__service__kind": "htp"}, "train_encoder.service.kind is 'htp' (did you mean 'http'?)"),
        ({"train_encoder__service__project": "pca"}, "unknown key train_encoder.service.project"),
        ({"tokenize__source__kind": "bpe"}, "tokenize.source.kind is 'bpe'; the service is given the text"),
        ({"tokenize__source__case": "true"}, "tokenize.source.case is 'true'; the service is given the text"),
        ({"vocab__max_size": 300}, "vocab.min_frequency and vocab.max_size would drop tokens"),
        ({"encode__layers": [1]}, "encode.layers is [1], and a service has none; use 'last'"),
        ({"encode__dropout_copies": 1}, "encode.dropout_copies is 1, and it has no dropout here"),
        ({"train_decoder__target_embedding": "train_encoder"}, "use 'embed'"),
        ({"train_decoder__finetune_encoder": True}, "only an encoder of ours is trained further"),
        ({"export__formats": ["huggingface"]}, "no engine of others has such an encoder"),
    ],
)
def test_what_does_not_go_with_a_service(changes: dict[str, object], message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        check(changed(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_left_out_is_said() -> None:
    found = check(VALUES).limits()
    assert found is not None
    assert "a translation has at most 100 tokens with <eos>" in found
    named = check(changed(train_encoder__service=OWN))
    assert "train_encoder.service.factory: json:JSONDecoder is code, which the stages train_encoder and" in str(
        named_code(named)
    )
    kinds = [kind for name in CHOICES["stageformer.vectors"] for kind in chosen_values(VALUES, name)]
    assert kinds == ["random", "http"]


def test_the_other_way_does_not_need_it() -> None:
    check(changed(train_encoder__way="joint", train_encoder__service=None, tokenize__source__kind="bpe"))
