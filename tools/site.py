"""Hooks of MkDocs: the pages of the repository, as GitHub shows them, become a site (``make docs``).

``README.md`` and its siblings become pages; a link to a file that is on the site goes there, and one to another file of
the repository becomes its text. The page ``reference.md`` is made from the docstrings of the public names.
"""

from __future__ import annotations

import inspect
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import stageformer

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}  # fmt: skip
"""Files of the root, and the pages that they become."""

_FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s#]*)(#[^()\s]*)?\)")
_MERMAID = re.compile(r"^```mermaid\n.*?^ *(\w+ -->.*?)$.*?^```$", re.MULTILINE | re.DOTALL)
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give headings the anchors of GitHub, and put documents that the menu does not name under the guides."""
    config.mdx_configs["toc"] = {**config.mdx_configs.get("toc", {}), "slugify": slug}
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    unnamed = sorted(path.name for path in (ROOT / "docs").glob("*.md") if f"- {path.name}\n" not in text)
    for section in config.nav or []:
        if isinstance(section, dict) and "Guides" in section:
            section["Guides"].extend(unnamed)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not below ``docs/``."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    files.append(File.generated(config, "reference.md", content=reference()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the Markdown of GitHub and of notebooks into that of MkDocs."""
    origin = next((name for name, made in PAGES.items() if made == page.file.src_uri), f"docs/{page.file.src_uri}")
    markdown = _MERMAID.sub(lambda found: f"```text\n{found[1].replace('-->', '→')}\n```", markdown)
    markdown = re.sub(r"^```(\w+) +\S.*$", r"```\1", markdown, flags=re.MULTILINE)  # metadata of notebook cells
    markdown = markdown.replace("<details><summary>", '<details markdown="1"><summary>')
    pieces = _FENCED.split(markdown)
    # Every second piece is a fenced block, in which nothing is a link.
    return "".join(piece if at % 2 else _relink(piece, origin, page) for at, piece in enumerate(pieces))


def _relink(text: str, origin: str, page: Page) -> str:
    def relinked(found: re.Match[str]) -> str:
        image, label, target, anchor = found[1], found[2], found[3], found[4] or ""
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        made = PAGES.get(path) or path.removeprefix("docs/")
        is_ours = path in PAGES or path.startswith("docs/")
        if is_ours and (ROOT / path).is_dir():
            made = f"{made}/README.md"
        if not is_ours:
            return label if (ROOT / path).exists() else found[0]  # a dead link is reported by MkDocs
        return f"{image}[{label}]({posixpath.relpath(made, posixpath.dirname(page.file.src_uri) or '.')}{anchor})"

    return _LINK.sub(relinked, text)


def slug(heading: str, separator: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def reference() -> str:
    """Return the page of the public names, in the words of their docstrings."""
    parts = ["# Reference\n\nThe docstrings of all public names. [The Python interface](api.md) shows them at work.\n"]
    for name in stageformer.__all__:
        value = getattr(stageformer, name)
        parts.append(f"## {name}\n\n{_described(name, value)}")
        if inspect.isclass(value):
            for method, function in vars(value).items():
                function = inspect.unwrap(getattr(function, "__func__", function))
                if inspect.isfunction(function) and not method.startswith("_") and function.__doc__:
                    parts.append(f"### {name}.{method}\n\n{_described(method, function)}")
    return "\n".join(parts)


def _described(name: str, value: Any) -> str:
    try:
        signature = str(inspect.signature(value)).replace("stageformer.", "")
    except (TypeError, ValueError):  # a class whose construction is nobody's business
        signature = ""
    lines, section = [], ""
    for line in inspect.cleandoc(value.__doc__ or "").splitlines():
        if line in ("Args:", "Returns:", "Raises:"):
            section = line
            lines.append(f"\n**{ {'Args:': 'Arguments', 'Returns:': 'Returns', 'Raises:': 'Raises'}[line]}**\n")
        elif section and (found := re.match(r" {4}(\w+): (.*)", line)):
            lines.append(f"- `{found[1]}`: {found[2]}")
        else:
            lines.append(line.removeprefix("    ") if section and not line.startswith("        ") else line)
    text = _ROLE.sub(r"`\1`", "\n".join(lines).replace("``", "`"))
    # Outside of code, what looks like a tag is one.
    text = re.sub(r"`[^`]*`|<(?=\w)", lambda found: found[0] if found[0].startswith("`") else "&lt;", text)
    return f"```python\n{name}{signature}\n```\n\n{text}\n"
