"""Draw the learning curves of several trainings in one picture.

\b
    python -m benchmarks.learning_curves joint=reports/train_encoder staged=../other/reports/train_decoder \\
        --output docs/staged-vs-joint.svg

Each argument is a name and the report folder of a training stage. The curve is the loss on the split valid.
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd
from matplotlib.figure import Figure

from stageformer.commands.program import command
from stageformer.errors import StageformerError


@command(help=__doc__)
@click.argument("trainings", nargs=-1, required=True)
@click.option("--output", type=Path, required=True, help="The picture: .svg or .png.")
def main(trainings: tuple[str, ...], output: Path) -> None:
    """Draw one line a training."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for training in trainings:
        name, _, folder = training.partition("=")
        path = Path(folder) / "plots/metrics/valid_loss.tsv"
        if not path.is_file():
            raise StageformerError(f"{path}: no such file; give NAME=FOLDER, the report folder of a training stage")
        curve = pd.read_csv(path, sep="\t")
        axes.plot(curve["step"], curve["valid_loss"], label=f"{name} ({curve['valid_loss'].iloc[-1]:.3f})")
    axes.set_xlabel("updates")
    axes.set_ylabel("loss on valid (nats a token, label smoothing included)")
    axes.grid(alpha=0.3)
    axes.legend(title="at the end")
    figure.savefig(output, metadata={"Date": None} if output.suffix == ".svg" else None)
    print(f"{output}: {len(trainings)} trainings")


if __name__ == "__main__":
    main()
