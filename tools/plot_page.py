"""Make the page of ``dvc plots show`` and ``dvc plots diff`` independent of the network.

DVC's plots are drawn by Vega, whose scripts its page loads from a content delivery network. This puts the scripts,
which the package vl-convert-python brings along, into a copy of our page, and tells DVC to use it. Copy and setting
belong to this clone alone: git ignores both. Without them, DVC uses `.dvc/plots_page.html`, which says what is missing.

Example: ``python -m tools.plot_page``
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stageformer.artifacts.files import atomic_file
from stageformer.commands.program import command
from stageformer.console.output import echo
from stageformer.errors import StageformerError, require

PAGE = Path(".dvc/plots_page.html")
OFFLINE = Path(".dvc/plots_page_offline.html")
PLACE = "{scripts}"
"""where DVC puts the addresses of the scripts, if the page has it"""


@command()
def main() -> None:
    """Write the page and tell DVC to use it."""
    page = PAGE.read_text(encoding="utf-8")
    with atomic_file(OFFLINE) as file:
        file.write(page.replace(PLACE, f"<script>{vega()}</script>").encode())
    setting = ["config", "--local", "plots.html_template", OFFLINE.name]
    run = subprocess.run([sys.executable, "-m", "dvc", *setting], capture_output=True, text=True, check=False)
    if run.returncode:
        raise StageformerError(f".dvc/config.local: cannot be written: {run.stderr.strip()}")
    echo(f"{OFFLINE}: {OFFLINE.stat().st_size / 2**20:.1f} MiB; `dvc plots` needs no network now")


def vega() -> str:
    """Return one script with Vega, Vega-Lite and Vega-Embed."""
    require("vl_convert")
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # A function of its own, so that none of the bundle's short names meets those of another script.
    return f"(() => {{{script}}})();".replace("</script", "<\\/script")


if __name__ == "__main__":
    main()
