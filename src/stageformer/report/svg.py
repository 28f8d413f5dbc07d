"""SVG as the standard library builds XML, which escapes every text and attribute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree

Element = ElementTree.Element


def element(tag: str, attributes: Mapping[str, object], *children: Element | str) -> Element:
    """Return an element. An attribute that is a float is written with at most two decimals; None leaves it out."""
    made = ElementTree.Element(tag, {name: _text(value) for name, value in attributes.items() if value is not None})
    for child in children:
        if isinstance(child, str):
            made.text = child
        else:
            made.append(child)
    return made


def drawing(width: float, height: float, label: str, css_class: str, children: Iterable[Element]) -> str:
    """Return a whole picture for a page of HTML, ``width`` by ``height`` units, told to screen readers by ``label``."""
    attributes = {"viewBox": f"0 0 {width:g} {height:g}", "class": css_class, "role": "img", "aria-label": label}
    svg = element("svg", attributes, *children)
    return str(ElementTree.tostring(svg, encoding="unicode", short_empty_elements=False))


def _text(value: object) -> str:
    return f"{round(value, 2):g}" if isinstance(value, float) else str(value)
