"""Where everything stands in the picture of an attention operation.

Two rows of matrices. Below, the queries go from left to right: X times W_Q is Q, Q against the keys gives the scores,
their softmax the weights, and the weights times V the output; a token keeps its row all the way. Above stand the keys
and values, K transposed over the columns of the scores, V over the output.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from stageformer.figures.canvas import Box, text_width
from stageformer.figures.operation import Operation
from stageformer.figures.style import printable

MARGIN = 0.35
"""inches"""
_LONGEST_LABEL = 16
"""characters of a token beyond which it is cut"""
_MOST_WITH_NUMBERS = 30
"""tokens on either side"""


class Layout:
    """The place of each matrix, in inches, and the words that stand beside them.

    Args:
        operation: the matrices
        caption: paragraphs under the title; each is wrapped, and cut after two lines
    """

    def __init__(self, operation: Operation, caption: Sequence[str]) -> None:
        self.queries, self.keys = ([_label(token) for token in tokens]
                                   for tokens in (operation.query_tokens, operation.key_tokens))  # fmt: skip
        num_queries, num_keys = operation.mask.shape
        most = max(num_queries, num_keys)
        d_k, d_model = operation.query.shape[1], operation.query_input.shape[1]
        self.row = float(np.clip(5.5 / most, 0.2 if most <= _MOST_WITH_NUMBERS else 0.11, 0.29))
        narrowest = 0.27 if most <= _MOST_WITH_NUMBERS else 0.13
        self.column = max(float(np.clip(4.6 / num_keys, narrowest, 0.46)), 1.5 / num_keys)
        # Up to 16 columns, there is room for numbers.
        head_width = d_k * float(np.clip(2.9 / d_k, 0.26, 0.4)) if d_k <= 16 else float(np.clip(0.07 * d_k, 2.5, 3.4))
        input_width = float(np.clip(0.025 * d_model, 2.2, 3.0))
        map_width = self.column * num_keys
        self.numbers = most <= _MOST_WITH_NUMBERS
        # What is looked at as a whole needs larger letters on a larger sheet.
        self.scale = scale = float(np.clip((2 * map_width + 3 * head_width + input_width) / 15, 1.0, 1.6))
        weight_width, weight_height, operator, gap = (scale * inches for inches in (1.25, 1.7, 0.42, 1.15))
        self.row_size, self.column_size = min(9 * scale, 44 * self.row), min(9 * scale, 44 * self.column)
        labels = 0.1 + max(text_width(token, self.row_size) for token in (*self.queries, *self.keys))
        turned = 0.12 + max(text_width(token, self.column_size) for token in self.keys)

        # From left to right.
        inputs = MARGIN + labels
        weight = inputs + input_width + operator
        projected = weight + weight_width + operator
        scores = projected + head_width + gap
        weights = scores + map_width + gap
        # Left of V stand W_V and the tokens, over the weights.
        output = max(weights + map_width + gap, scores + map_width + 0.75 * scale + weight_width + operator + labels)
        self.width = output + head_width + MARGIN

        # From top to bottom.
        wrap = textwrap.TextWrapper(width=int((self.width / scale - 6) * 11), max_lines=2, placeholder=" \u2026")
        self.caption = [printable(line) for paragraph in caption for line in wrap.wrap(paragraph)]
        upper, lower = num_keys * self.row, num_queries * self.row
        turned_height = float(np.clip(0.06 * d_k, 1.3, 2.2))
        top = scale * (1.62 + 0.19 * len(self.caption))
        self.base = base = top + max(upper, turned_height, weight_height)
        self.start = start = base + max(turned, 0.55 * scale) + 0.1
        self.end = start + max(lower, weight_height) + 0.62 * scale

        def above(x: float, width: float, height: float) -> Box:
            return Box(x, base - height, width, height)

        self.key_input = above(inputs, input_width, upper)
        self.key_weight = above(weight, weight_width, weight_height)
        self.key = above(projected, head_width, upper)
        self.key_turned = above(scores, map_width, turned_height)
        self.value_weight = above(output - labels - operator - weight_width, weight_width, weight_height)
        self.value = above(output, head_width, upper)
        self.query_input = Box(inputs, start, input_width, lower)
        self.query_weight = Box(weight, start, weight_width, weight_height)
        self.query = Box(projected, start, head_width, lower)
        self.scores = Box(scores, start, map_width, lower)
        self.weights = Box(weights, start, map_width, lower)
        self.output = Box(output, start, head_width, lower)
        self.height = self.end + 1.6 * scale


def _label(token: str) -> str:
    shown = printable(token.replace(" ", "\u2423"))
    return shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "\u2026"
