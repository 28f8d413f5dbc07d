import pytest
import torch

from stageformer.decoding.greedy import greedy
from stageformer.decoding.greedy_decode import greedy_decode
from stageformer.decoding.rules import Batch, Rules


@pytest.mark.parametrize("seed", range(4))
def test_the_ids_are_those_of_the_search_that_the_pipeline_runs(seed):
    from stageformer.model import EmbeddingConfig, StackConfig, Transformer, TransformerConfig

    torch.manual_seed(seed)
    side, stack = EmbeddingConfig(40, 16), StackConfig(16, 2, 4, 32)
    model = Transformer(TransformerConfig(side, side, stack, stack)).eval()
    source = torch.randint(4, 40, (3, 6))
    present = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] * 2 + [False] * 4])
    with torch.no_grad():
        memory = model.encoder(source, present)
    rules = Rules(bos_id=1, eos_id=2, forbidden_ids=(0, 1, 3), max_length_ratio=0.0, max_length_offset=12)
    expected = [found[0].ids for found in greedy(model.decoder, Batch(memory, present), rules)]
    found = greedy_decode(
        model.decoder, memory, present, bos_id=1, eos_id=2, max_length=12, forbidden_ids=(0, 1, 3)
    )
    # The pipeline's search ends a translation of the largest length with <eos>; here it is cut off.
    assert [ids[:11] for ids in found] == expected
