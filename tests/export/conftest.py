import torch

from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer

PAD, BOS, EOS, UNK = range(4)
SPECIAL = {"bos_id": BOS, "eos_id": EOS, "pad_id": PAD, "forbidden_ids": (PAD, BOS, UNK)}


def random_model(
    *, norm="post", positions="sinusoidal", activation="relu", scale=True, source_size=23, target_size=23,
    share_embeddings=False, tie_output=True, d_model=16, attention_only=False, seed=1,
):
    """A model whose norms and biases are random, too, so that no weight can be left out unnoticed."""
    torch.manual_seed(seed)
    source = EmbeddingConfig(source_size, d_model, scale, positions, max_length=40)
    target = EmbeddingConfig(target_size, d_model, scale, positions, max_length=40)
    encoder = StackConfig(d_model, 3, 4, 24, activation, norm, attention_only)
    decoder = StackConfig(d_model, 2, 2, 40, activation, norm, attention_only)
    model = Transformer(
        TransformerConfig(source, target, encoder, decoder, share_embeddings=share_embeddings, tie_output=tie_output)
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):
                parameter += torch.randn_like(parameter) * 0.3
            elif name.endswith("bias"):
                parameter += torch.randn_like(parameter) * 0.1
            elif name.endswith("in_projection.weight"):
                parameter *= 2  # attention sharp enough for translations that depend on their sources
        model.decoder.output_weight[EOS] *= 0.3
    return model.eval()


def random_sources(number=30, longest=9, size=23, seed=5):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (number,), generator=generator).tolist()
    return [[*torch.randint(4, size, (length,), generator=generator).tolist(), EOS] for length in lengths]
