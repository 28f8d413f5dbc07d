"""The command ``stageformer tokenize``."""

from __future__ import annotations

import click

from stageformer.commands.options import json_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.argument("text")
@click.option("--kind", required=True, help="Tokenizer, such as spacy, nltk, char, bert, NAME=PATH or module:callable.")
@click.option("--language", metavar="CODE", help="Language of the text, such as de, for tokenizers that know some.")
@click.option("--compare", metavar="KIND,...", help="Other tokenizers to show beside it.")
@json_option
def tokenize(text: str, kind: str, language: str | None, compare: str | None, as_json: bool) -> None:
    """Show how TEXT is cut by one or several tokenizers, side by side, tokens beside ids. No run is needed.

    For example: stageformer tokenize "Das Licht" --kind spacy --language de --compare nltk,bert
    """
    from stageformer.terminal.json_text import json_text
    from stageformer.terminal.side_by_side import as_dict, as_text, side_by_side

    names = [kind, *compare.split(",")] if compare is not None else [kind]
    found = side_by_side(text, [name.strip() for name in names], language)
    echo(json_text(as_dict(text, found)) if as_json else as_text(found))
