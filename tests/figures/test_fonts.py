import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from stageformer.figures import style as fonts


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    fonts._fallbacks.cache_clear()
    monkeypatch.setattr(fonts, "_told", set())
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    yield
    fonts._fallbacks.cache_clear()


@pytest.fixture
def install(monkeypatch, tmp_path):
    """A function that makes the fonts of these names and characters the installed ones."""

    def make(**families):
        paths = []
        for name, characters in families.items():
            builder = FontBuilder(1000, isTTF=True)
            pen = TTGlyphPen(None)
            for point in ((0, 0), (0, 700), (700, 700)):
                (pen.lineTo if pen.points else pen.moveTo)(point)
            pen.closePath()
            names = [".notdef", *(f"u{ord(character)}" for character in characters)]
            builder.setupGlyphOrder(names)
            builder.setupCharacterMap({ord(character): f"u{ord(character)}" for character in characters})
            glyph = pen.glyph()
            builder.setupGlyf(dict.fromkeys(names, glyph))
            builder.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
            builder.setupHorizontalHeader(ascent=800, descent=-200)
            builder.setupNameTable({"familyName": name, "styleName": "Regular"})
            builder.setupOS2()
            builder.setupPost()
            builder.save(tmp_path / f"{name}.ttf")
            paths.append(str(tmp_path / f"{name}.ttf"))
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths[::-1])

    return make


def test_text_that_the_first_font_can_write_looks_for_no_other(monkeypatch, capsys):
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: pytest.fail("looked for fonts"))
    assert fonts.families_for("▁Größe Ελλάδα Россия {x}: →\x00") == ["DejaVu Sans"]
    assert capsys.readouterr().err == ""


def test_installed_fonts_write_what_the_first_cannot(install, capsys):
    install(One="漢", Two="漢字")
    assert fonts.families_for("a漢字") == ["DejaVu Sans", "Two"]
    install(One="漢", Three="字語", Unused="あ")
    fonts._fallbacks.cache_clear()
    assert fonts.families_for("a漢字語") == ["DejaVu Sans", "Three", "One"]
    assert capsys.readouterr().err == ""


def test_missing_characters_are_reported_once_in_one_line(install, capsys):
    install(One="漢")
    assert fonts.families_for("漢字") == ["DejaVu Sans", "One"]
    fonts.families_for("語")
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no installed font has 1 of the characters (字)" in error
    assert "install" in error


@pytest.mark.parametrize(
    ("text", "font"),
    [
        ("字", "Noto Sans CJK"),
        ("あ", "Noto Sans CJK"),
        ("ไ", "Noto Sans Thai"),
        ("ক", "Noto Sans Bengali"),
        ("\U0001f4a1", "Noto Sans Symbols"),
    ],
)
def test_the_font_that_is_named_has_the_script(install, capsys, text, font):
    install()
    fonts.families_for(text)
    assert capsys.readouterr().err.endswith(f"install a font of that script, such as {font}\n")


def test_a_regular_face_is_taken_before_a_bold_one(install, monkeypatch):
    install(Bold="字", Plain="字")
    monkeypatch.setattr(fonts, "_is_regular", lambda path: path.endswith("Plain.ttf"))
    assert fonts.families_for("字") == ["DejaVu Sans", "Plain"]


def test_a_damaged_font_is_passed_over(install, tmp_path, capsys):
    install(Good="字")
    (tmp_path / "Good.ttf").write_bytes(b"no font")
    assert fonts.families_for("字") == ["DejaVu Sans"]
    assert "字" in capsys.readouterr().err
