import shutil

import pytest
from click.testing import CliRunner


@pytest.fixture
def set_group():
    """A function ``set_group(root, group, name=value, ...)`` that rewrites lines of one group of ``params.yaml``."""

    def rewrite(root, group, **changes):
        path = root / "params.yaml"
        before, rest = path.read_text().split(f"\n{group}:\n")
        lines = rest.splitlines(keepends=True)
        for name, value in changes.items():
            index = next(index for index, line in enumerate(lines) if line.startswith(f"  {name}:"))
            lines[index] = f"  {name}: {value}\n"
        path.write_text(f"{before}\n{group}:\n{''.join(lines)}")

    return rewrite


@pytest.fixture(scope="session")
def translated_root(made_once, toy_root):
    """What the pipeline up to translate leaves. Shared by the tests of a session: copy it before changing it."""

    def make(root):
        from stages.translate import main

        shutil.copytree(toy_root, root, dirs_exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            result = CliRunner().invoke(main, [])
        assert result.exit_code == 0, result.output

    return made_once("translated", make)
