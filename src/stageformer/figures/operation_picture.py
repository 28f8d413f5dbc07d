"""The picture of one attention operation with its matrices: where everything is, and how it is drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stageformer.figures.canvas import FAINT, GREY, INK, Box, Canvas, Floats, text_width
from stageformer.figures.operation import Operation
from stageformer.figures.style import DIVERGING, SEQUENTIAL, printable

MARGIN = 0.35
"""inches"""
_LONGEST_LABEL = 16
"""characters of a token beyond which it is cut"""
_MOST_WITH_NUMBERS = 30
"""tokens on either side"""


class Layout:
    """The place of each matrix, in inches, and the words beside them.

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
        width = max(d_k, operation.value.shape[1])
        each = float(np.clip(2.9 / width, 0.26, 0.4))
        head_width = width * each if width <= 16 else float(np.clip(0.07 * width, 2.5, 3.4))
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
        # Left of V are W_V and the tokens, over the weights.
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


QUERY, KEY, VALUE = "#0072B2", "#D55E00", "#009E73"
"""Of Okabe and Ito's palette for all kinds of colour vision."""
TITLES = {
    "encoder": "Self-attention of the encoder",
    "decoder": "Masked self-attention of the decoder",
    "cross": "Attention of the decoder to the encoder output",
}


def operation_picture(operation: Operation, caption: Sequence[str]) -> Figure:
    """Draw an operation; call it under :func:`stageformer.figures.style.style`.

    Args:
        operation: the matrices
        caption: paragraphs under the title, such as the sentence
    """
    return _Picture(operation, caption).draw()


class _Picture:
    """What is drawn at the places of the layout."""

    def __init__(self, operation: Operation, caption: Sequence[str]) -> None:
        self.operation = operation
        self.given = "M" if operation.kind == "cross" else "X"
        self.at = Layout(operation, caption)
        self.canvas = Canvas(self.at.width, self.at.height)

    def draw(self) -> Figure:
        """Draw all of it."""
        self._header()
        self._matrices()
        self._operators()
        self._follow_one_row()
        self._notes()
        return self.canvas.figure

    def _text(self, x: float, y: float, text: str, *, size: float = 9.5, **options: Any) -> None:
        self.canvas.text(x, y, text, size=size * self.at.scale, **options)

    def _header(self) -> None:
        operation, scale = self.operation, self.at.scale
        self._text(MARGIN, 0.4 * scale, TITLES[operation.kind], size=17, bold=True, align="left")
        where = (
            f"layer {operation.layer} of {operation.num_layers}, head {operation.head} of {operation.num_heads}: "
            "scaled dot-product attention with the values of the trained model"
        )
        self._text(MARGIN, 0.73 * scale, where, size=10.5, color=GREY, align="left")
        formula = r"$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q\,K^{\top}}{\sqrt{d_k}}\right)V$"
        self._text(self.at.width - MARGIN, 0.55 * scale, formula, size=19, align="right", math=True)
        for number, line in enumerate(self.at.caption):
            self._text(MARGIN, (1.0 + 0.19 * number) * scale, line, align="left", upright="top")

    def _matrices(self) -> None:
        o, above = self.operation, self._input_name() if self.operation.kind != "cross" else "encoder output"
        self._signed(self.at.key_input, o.key_input, rf"${self.given}$", above, True)
        self._signed(self.at.key_weight, o.key_weight, "$W_K$", "", True, KEY)
        self._signed(self.at.key, o.key, "$K$", "keys", True, KEY)
        self._signed(self.at.key_turned, o.key.T, r"$K^{\top}$", "", True, KEY)
        self._signed(self.at.value_weight, o.value_weight, "$W_V$", "", True, VALUE)
        self._signed(self.at.value, o.value, "$V$", "values", True, VALUE)
        self._signed(self.at.query_input, o.query_input, "$X$", self._input_name(), False)
        self._signed(self.at.query_weight, o.query_weight, "$W_Q$", "", False, QUERY)
        self._signed(self.at.query, o.query, "$Q$", "queries", False, QUERY)
        self._signed(self.at.scores, o.scores, r"$S = Q K^{\top}/\sqrt{d_k}$", "scores", False)
        self._signed(self.at.output, o.output, "$Z = A V$", "output", False)
        shown = np.where(o.mask, o.weights, -np.inf).astype(np.float32)
        writers = (_share,) if self.at.numbers else ()
        self.canvas.matrix(self.at.weights, shown, SEQUENTIAL, (0, 1), masked="0", writers=writers)
        self._name(self.at.weights, r"$A = \mathrm{softmax}(S)$", f"weights {_shape(o.weights)}", False)
        for box in (self.at.key_input, self.at.value):
            self._rows(box, self.at.keys)
        self._rows(self.at.query_input, self.at.queries)
        for box in (self.at.scores, self.at.weights):
            for index, token in enumerate(self.at.keys):
                x, y = box.cells(o.mask.shape, 0, index).center[0], box.y - 0.06
                self.canvas.text(x, y, token, size=self.at.column_size, upright="bottom", turned=True)

    def _signed(self, box: Box, values: Floats, name: str, word: str, above: bool, edge: str = INK) -> None:
        """Draw a matrix of positive and negative values, zero in white."""
        finite = np.abs(values[np.isfinite(values)])
        limit = float(finite.max()) or 1.0
        writers = (_two_decimals, _one_decimal) if self.at.numbers else ()
        self.canvas.matrix(box, values, DIVERGING, (-limit, limit), edge=edge, writers=writers)
        below = " ".join(filter(None, (word, _shape(values), f"\u00b1{limit:.2g}")))
        self._name(box, name, below, above, edge)

    def _name(self, box: Box, name: str, line: str, above: bool, color: str = INK) -> None:
        x, y = box.center[0], box.y - 0.32 * self.at.scale if above else box.bottom + 0.19 * self.at.scale
        self._text(x, y, name, size=14, color=color, math=True)
        self._text(x, y + (0.21 if above else 0.25) * self.at.scale, line, size=7.5, color=GREY)

    def _input_name(self) -> str:
        return "input, layer-normed" if self.operation.norm == "pre" else "input"

    def _rows(self, box: Box, tokens: Sequence[str]) -> None:
        for index, token in enumerate(tokens):
            y = box.cells((len(tokens), 1), index, 0).center[1]
            self.canvas.text(box.x - 0.07, y, token, size=self.at.row_size, align="right")

    def _operators(self) -> None:
        text, arrow, scale = self._text, self.canvas.arrow, self.at.scale
        for boxes, edge, sign in (
            ((self.at.key_input, self.at.key_weight, self.at.key), self.at.base, -1),
            ((self.at.query_input, self.at.query_weight, self.at.query), self.at.start, 1),
        ):
            y = edge + sign * min(box.height for box in boxes) / 2
            for left, right, operator in zip(boxes[:-1], boxes[1:], "\u00d7=", strict=True):
                text((left.right + right.x) / 2, y, operator, size=16)
        y = self.at.base - min(self.at.value.height, self.at.value_weight.height) / 2
        text(self.at.value_weight.x - 0.1, y, rf"${self.given}\;\times$", size=16, math=True, align="right")
        text(self.at.value_weight.right + 0.17 * scale, y, "=", size=16)

        y = self.at.base - min(self.at.key.height, self.at.key_turned.height) / 2
        arrow((self.at.key.right + 0.12, y), (self.at.key_turned.x - 0.12, y), KEY)
        text((self.at.key.right + self.at.key_turned.x) / 2, y - 0.13 * scale, "transpose", size=8.5, color=KEY)

        y = self.at.query.center[1]
        for left, right, over, under in (
            (self.at.query, self.at.scores, r"$\times\;K^{\top}$", r"$\div\;\sqrt{d_k}$"),
            (self.at.scores, self.at.weights, "softmax", "row by row"),
            (self.at.weights, self.at.output, r"$\times\;V$", ""),
        ):
            middle = (left.right + right.x) / 2
            arrow((left.right + 0.12, y), (right.x - 0.12, y))
            size, math = (12.0, True) if "$" in over else (9.5, False)
            text(middle, y - 0.17 * scale, over, size=size, math=math)
            text(middle, y + 0.17 * scale, under, size=size if math else 8, math=math)

        aligned = [(self.at.key_turned, self.at.scores), (self.at.value, self.at.output)]
        if self.operation.kind != "cross":
            aligned.append((self.at.key_input, self.at.query_input))
            text(self.at.key_input.center[0], (self.at.base + self.at.start) / 2, "the same", size=8.5, color=GREY)
        for upper, lower in aligned:
            for x in (upper.x, upper.right):
                self.canvas.guide((x, upper.bottom + 0.04), (x, lower.y - 0.04))
        x = self.at.output.center[0]
        arrow((x, self.at.value.bottom + 0.1), (x, self.at.output.y - 0.1), VALUE)

    def _follow_one_row(self) -> None:
        """Outline one query all the way, and the key that it attends to most."""
        o = self.operation
        row, column = strongest(o)
        for box, values in (
            (self.at.query_input, o.query_input), (self.at.query, o.query), (self.at.scores, o.scores),
            (self.at.weights, o.weights), (self.at.output, o.output),
        ):  # fmt: skip
            self.canvas.frame(box.cells(values.shape, row, 0, columns=values.shape[1]), INK, 1.8)
        self.canvas.frame(self.at.key.cells(o.key.shape, column, 0, columns=o.key.shape[1]), INK, 1.8)
        self.canvas.frame(self.at.key_turned.cells(o.key.T.shape, 0, column, rows=o.key.shape[1]), INK, 1.8)
        self.canvas.frame(self.at.value.cells(o.value.shape, column, 0, columns=o.value.shape[1]), INK, 1.8)

    def _notes(self) -> None:
        o, text, scale, given = self.operation, self._text, self.at.scale, self.given
        row, column = strongest(o)
        formulas = rf"$Q = X\,W_Q + b_Q,\quad K = {given}\,W_K + b_K,\quad V = {given}\,W_V + b_V$"
        text(MARGIN, self.at.end + 0.3 * scale, formulas, size=12, math=True, align="left")
        lines = (
            f"Outlined: \u201c{self.at.queries[row]}\u201d gives {o.weights[row, column]:.0%} of its attention to "
            f"\u201c{self.at.keys[column]}\u201d. Its row of Z is the mean of the rows of V, weighted by its row of A.",
            _MASKS[o.kind] if o.mask.all() else _MASKS["decoder"],
            f"{_NORMS[o.norm]} The outputs of the {o.num_heads} heads, side by side, are then projected together.",
        )
        for number, line in enumerate(lines):
            text(MARGIN, self.at.end + (0.62 + 0.24 * number) * scale, line, align="left")

        x, y = self.at.width - MARGIN - 2.7 * scale, self.at.end + 0.3 * scale
        for number, (colors, left, right) in enumerate(
            ((DIVERGING, "\u2212", "+ largest (the \u00b1)"), (SEQUENTIAL, "0", "1"), (None, "", "masked"))
        ):
            bar = Box(x, y + 0.3 * scale * number, 1.3 * scale, 0.16 * scale)
            if colors is None:
                self.canvas.hatch(bar)
                self.canvas.frame(bar, FAINT, 1.4)
            else:
                self.canvas.gradient(bar, colors)
            text(bar.x - 0.08, bar.center[1], left, size=8.5, align="right")
            text(bar.right + 0.08, bar.center[1], right, size=8.5, align="left")


_PADDING = "No mask: a single sentence has no padding. In a batch, the columns of padding are masked."
_CAUSAL = "Causal mask: a token attends to itself and those before it; hatched: minus infinity."
_STEPS = "Each row has just read the token beside it, and predicts the next."
_MASKS = {
    "encoder": _PADDING,
    "decoder": f"{_CAUSAL} {_STEPS}",
    "cross": f"{_PADDING} {_STEPS}",
}
_NORMS = {
    "pre": "Pre-norm: X is the input of the layer after its layer norm.",
    "post": "Post-norm: X is the input of the layer as it is.",
    "none": "Attention only: X is the output of the layer before.",
}


def strongest(operation: Operation) -> tuple[int, int]:
    """Return the query and the key of the largest weight, among words that attend to another word where there are such.

    Special tokens, and a token's attention to itself, say less about what attention is for.
    """
    special = [np.array([token.startswith("<") and token.endswith(">") for token in tokens])
               for tokens in (operation.query_tokens, operation.key_tokens)]  # fmt: skip
    weights = np.where(special[0][:, None] | special[1][None, :], 0.0, operation.weights)
    if operation.kind != "cross":
        weights = weights * (1 - np.eye(len(weights)))
    if not weights.any():
        weights = operation.weights
    row, column = np.unravel_index(int(weights.argmax()), weights.shape)
    return int(row), int(column)


def _shape(values: Floats) -> str:
    return f"[{values.shape[0]} \u00d7 {values.shape[1]}]"


def _two_decimals(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")


def _one_decimal(value: float) -> str:
    return f"{value:.1f}".replace("-", "\u2212")


def _share(value: float) -> str:
    """Two decimals; a weight that rounds to zero as a bare 0, so that the others stand out."""
    return f"{value:.2f}" if value >= 0.005 else "0"
