import numpy as np

from stageformer.terminal.answers import alignment_lines
from stageformer.terminal.text import display_width

WEIGHTS = np.array([[0.9, 0.1, 0.0], [0.04, 0.3, 0.66]], dtype=np.float32)


def test_shades_stand_under_their_tokens():
    assert alignment_lines(["ein", "<eos>"], ["a", "bc", "日"], WEIGHTS, 80) == [
        "         b",
        "       a c 日",
        "   ein ██░░",
        " <eos>   ▒▒▓▓",
    ]


def test_a_long_source_is_cut_into_blocks_of_the_width():
    weights = np.full((2, 30), 1 / 30, dtype=np.float32)
    weights[0, 17] = 0.9
    lines = alignment_lines(["x", "日本"], [f"s{i}" for i in range(30)], weights, 40)
    assert max(map(display_width, lines)) <= 40
    assert lines.count("") == 1
    assert [line for line in lines if "█" in line] == ["    x ██"], "the first column of the second block"


def test_control_characters_do_not_reach_the_terminal():
    lines = alignment_lines(["\x1b[2J"], ["\n"], np.ones((1, 1), dtype=np.float32), 80)
    assert not {"\x1b", "\n"} & set("".join(lines))
