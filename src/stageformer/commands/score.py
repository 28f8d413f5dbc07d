"""The command ``stageformer score``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Parameter, json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo

_FILE = click.Path(path_type=Path, dir_okay=False)


@command()
@click.option("--hypotheses", type=_FILE, help="Text file of translations, one per line, rather than the last run's.")
@click.option("--references", type=_FILE, multiple=True, help="Text file of references; may be given several times.")
@click.option(
    "--tokenized", metavar="LANGUAGE", help="Code such as de: BLEU of text tokenised by Moses, as in older papers."
)
@click.option("--lowercase", is_flag=True, help="Without regard to case.")
@click.option("--bleu-tokenize", type=Parameter("evaluate.bleu_tokenize"), help="sacreBLEU's tokenisation for BLEU.")
@click.option("--characters", is_flag=True, help="Report the character error rate (CER) as well.")
@click.option("--phonemes", is_flag=True, help="The texts are phonemes with spaces between them: PER and WER.")
@json_option
@root_option
def score(
    hypotheses: Path | None,
    references: tuple[Path, ...],
    tokenized: str | None,
    lowercase: bool,
    bleu_tokenize: str | None,
    characters: bool,
    phonemes: bool,
    as_json: bool,
    root: Path | None,
) -> None:
    """Score the translations of the last run, or text files, and name the kind of each score.

    The last run is scored as it was by the stage evaluate, text files with sacreBLEU's defaults, unless options say
    otherwise. The BLEU of Multi30k's papers: --tokenized de --lowercase
    """
    from stageformer.params.root import find_root
    from stageformer.scoring.settings import Settings
    from stageformer.terminal.json_text import json_text
    from stageformer.terminal.score import last_run, score_texts, text_files

    if (hypotheses is None) != (not references):
        raise click.UsageError("give --hypotheses together with --references, or neither")
    if hypotheses is None:
        texts, run = last_run(find_root(root))
    else:
        texts = text_files(hypotheses, references)
        run = Settings(lowercase=False, bleu_tokenize="13a", moses_language=None, phonemes=False)
    settings = Settings(
        lowercase=lowercase or run.lowercase,
        bleu_tokenize=bleu_tokenize or run.bleu_tokenize,
        moses_language=run.moses_language,
        phonemes=phonemes or run.phonemes,
        characters=characters or run.characters,
    )
    found = score_texts(texts, settings, tokenized_language=tokenized)
    echo(json_text(found.as_dict()) if as_json else found.text())
