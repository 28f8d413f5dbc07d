"""The arithmetic that a Transformer needs: floating-point operations of its matrix products, from its shape.

A product of ``[m, k]`` and ``[k, n]`` takes 2 m k n operations. With D = d_model, F = d_ff, V tokens in the vocabulary,
a source of S and a target of T tokens, the forward pass of one pair takes

- in each layer of the encoder 2 S (4 D² + 2 D F) for the four projections of self-attention and the two maps of the
  feed-forward network, and 4 S² D for attention itself, queries times keys and weights times values;
- in each layer of the decoder 2 T (4 D² + 2 D F) + 4 T² D likewise, and for cross-attention 2 T (2 D²) to project
  queries and output, 2 S (2 D²) to project the memory to keys and values, and 4 T S D;
- for the output projection 2 T D V.

The backward pass takes twice as much: each product has a gradient to either factor. Padding is not counted, nor what
the causal mask could save, nor anything that is not a matrix product.
"""

from __future__ import annotations

import numpy as np

from benchmarks.configurations import Configuration
from stageformer.batching.sentences import Ints

FORWARD_AND_BACKWARD = 3


def encoder_flop(encoder: Configuration, source: Ints) -> float:
    """Return the operations of the forward pass over sources of these lengths, ``[sentences]``."""
    s = source.astype(np.float64)
    return float(encoder.num_layers * np.sum(2 * s * _weights(encoder) + 4 * s**2 * encoder.d_model))


def decoder_flop(decoder: Configuration, source: Ints, target: Ints) -> float:
    """Return the operations of the forward pass over pairs of these lengths, without the output projection."""
    s, t, width = source.astype(np.float64), target.astype(np.float64), decoder.d_model
    own = 2 * t * _weights(decoder) + 4 * t**2 * width
    cross = 4 * (t + s) * width**2 + 4 * t * s * width
    return float(decoder.num_layers * np.sum(own + cross))


def training_flop_of_target_token(
    encoder: Configuration | None, decoder: Configuration, vocabulary_size: int, source: Ints, target: Ints
) -> float:
    """Return the operations of training, forward and backward, over a corpus, divided by its target tokens.

    Args:
        encoder: size of the encoder; None: the decoder is trained on saved memory, which needs no gradient.
        decoder: size of the decoder.
        vocabulary_size: V.
        source: tokens that the encoder reads of each pair, ``[sentences]``.
        target: tokens that the decoder reads of each pair, ``[sentences]``.
    """
    tokens = float(target.sum())
    forward = decoder_flop(decoder, source, target) + 2 * tokens * decoder.d_model * vocabulary_size
    if encoder is not None:
        return FORWARD_AND_BACKWARD * (forward + encoder_flop(encoder, source)) / tokens
    gradient_of_memory = decoder.num_layers * 4 * float(source.sum()) * decoder.d_model**2
    return (FORWARD_AND_BACKWARD * forward - gradient_of_memory) / tokens


def _weights(shape: Configuration) -> int:
    """Return how many weights the self-attention and the feed-forward network of a layer multiply by."""
    return 4 * shape.d_model**2 + 2 * shape.d_model * shape.d_ff
