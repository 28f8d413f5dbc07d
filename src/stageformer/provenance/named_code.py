"""Code of the user's that parameters name (``module:callable``): found before anything runs, and not run to be found.

A file of parameters may come from anyone, so that checking one imports nothing that it names. The stages do import it:
whoever runs them with such parameters runs that code, and is told which.
"""

from __future__ import annotations

from stageformer.errors import StageformerError
from stageformer.params.choices import find_function
from stageformer.params.groups import Parameters
from stageformer.params.services import LangChain
from stageformer.params.tokenize import Cut


def named_code(parameters: Parameters) -> list[str]:
    """Return what the stages will import and run, one line for each parameter that names code.

    Raises:
        StageformerError: there is no such module or no such name in it; see
            :func:`~stageformer.params.choices.find_function`.
    """
    names = {
        f"tokenize.{side}.cutter": family.cutter
        for side, family in (("source", parameters.tokenize.source), ("target", parameters.tokenize.target))
        if isinstance(family, Cut) and ":" in family.cutter
    }
    if isinstance(parameters.embed.source, LangChain):
        names["embed.source.factory"] = parameters.embed.source.factory
    if isinstance(parameters.train_encoder.service, LangChain):
        names["train_encoder.service.factory"] = parameters.train_encoder.service.factory
    lines = []
    for parameter, name in names.items():
        try:
            place = find_function(name)
        except StageformerError as error:
            raise StageformerError(f"{parameter}: {error}") from None
        stage = parameter.partition(".")[0]
        who = f"the stage {stage} runs" if stage != "train_encoder" else "the stages train_encoder and encode run"
        lines.append(f"{parameter}: {name} is code, which {who}; it is in {place}")
    return lines
