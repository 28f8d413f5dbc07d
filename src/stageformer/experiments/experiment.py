"""The files of an experiment, wherever it is: this folder, another copy, a git revision or a DVC experiment.

A revision is read where it is, in git and in DVC's cache: nothing is checked out. This is the only module that
imports DVC, and only to open a revision; a folder is read without it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from stageformer.artifacts.files import first_line
from stageformer.artifacts.reading import read_content
from stageformer.errors import StageformerError, did_you_mean
from stageformer.experiments.missing import how_to_get, remote_settings

WORKSPACE = "workspace"


class Experiment(ABC):
    """What the pipeline wrote, and the files that git keeps, of one run.

    All paths are relative to the root of the repository and are written with ``/``.
    """

    name: str
    """As the user gave it."""
    commit: str | None = None
    """The hash of a revision's commit; None of a folder, whose files belong to no commit yet."""

    @staticmethod
    def open(spec: str, root: Path, here: Path | None = None) -> Experiment:
        """Find an experiment.

        Args:
            spec: ``workspace``, a git revision (``HEAD~1``, a branch, a tag, a commit), the name of a DVC experiment,
                or the folder of another copy of the repository. A revision wins over a folder of the same name;
                ``./name`` is always the folder.
            root: of the repository whose workspace, revisions and experiments are meant.
            here: what the name of a folder is relative to; None: the root.

        Raises:
            StageformerError: there is no such revision; the message names the nearest one.
        """
        if spec == WORKSPACE:
            return _Folder(spec, root)
        if not spec:
            raise StageformerError("the name of an experiment is empty; `workspace` is what is in this folder")
        commit, names = _resolve(spec, root)
        if commit is not None:
            return _Revision(spec, root, commit)
        folder = (root if here is None else here) / spec
        if (folder / "dvc.yaml").is_file():
            return _Folder(spec, folder)
        if folder.is_dir():
            raise StageformerError(f"{spec}: this folder holds no dvc.yaml; name the root of a copy of the repository")
        raise StageformerError(
            f"{spec!r} is not a git revision, DVC experiment or folder{did_you_mean(spec, [WORKSPACE, *names])}; "
            "`dvc exp list --all-commits` and `git log --oneline` list what there is"
        )

    @staticmethod
    def at(name: str, root: Path, commit: str) -> Experiment:
        """Return the experiment that a commit of the repository holds; ``name`` is what messages and tables call it."""
        return _Revision(name, root, commit)

    def last_commit(self) -> Experiment | None:
        """Return the last commit of the repository that a folder is the root of; None if there is none."""
        return None

    @abstractmethod
    def read_bytes(self, path: str) -> bytes | None:
        """Return the content of a file, or None if the experiment has no such file.

        Raises:
            StageformerError: it has one, but its content is not in DVC's cache, nor in a remote; the message says
                whether there is one.
        """

    @abstractmethod
    def list(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, sorted; none if the experiment has no such folder."""

    def read_json(self, path: str) -> Any:
        """Return the content of a JSON file. Raises StageformerError when it is missing, damaged or not in the cache.

        The type is not checked.
        """
        try:
            return json.loads(self._required(path))
        except (ValueError, RecursionError) as error:
            raise StageformerError(f"{self.name}: {path}: not readable as JSON ({first_line(error)})") from None

    def _how_to_get(self, path: str) -> str:
        """Return what brings a file that the experiment does not have, as the end of a message."""
        return "its pipeline has not run yet, or an earlier version did; run that experiment again"

    def _required(self, path: str) -> bytes:
        content = self.read_bytes(path)
        if content is None:
            raise StageformerError(f"{self.name}: there is no {path}; {self._how_to_get(path)}")
        return content


class _Folder(Experiment):
    """The workspace, or that of another copy."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self._root = root

    def last_commit(self) -> Experiment | None:
        commit, _ = _resolve("HEAD", self._root)
        return None if commit is None else _Revision("HEAD", self._root, commit)

    def _how_to_get(self, path: str) -> str:
        return how_to_get(path, self._root)

    def read_bytes(self, path: str) -> bytes | None:
        try:
            return read_content(self._root / path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StageformerError(f"{self.name}: {path}: cannot be read ({error.strerror})") from None

    def list(self, folder: str) -> list[str]:
        files = (path for path in (self._root / folder).rglob("*") if path.is_file())
        return sorted(path.relative_to(self._root).as_posix() for path in files)


class _Revision(Experiment):
    """A commit, that of a DVC experiment included: files of git, and the outputs that its ``dvc.lock`` names."""

    def __init__(self, name: str, root: Path, commit: str) -> None:
        from dvc.api import DVCFileSystem

        self.name = name
        self.commit = commit
        self._root = root
        # The remotes are those of today: at an older commit, there may have been none yet.
        self._files = DVCFileSystem(str(root), rev=commit, config=remote_settings(root))

    def read_bytes(self, path: str) -> bytes | None:
        from dvc.exceptions import DvcException

        try:
            content: bytes = self._files.read_bytes(path)
        except (OSError, DvcException) as error:
            if not self._files.exists(path):
                return None
            remotes = remote_settings(self._root)["remote"]
            tried = f"nor does the remote {', '.join(remotes)} give it ({first_line(error)})"
            why = tried if remotes else "and no remote is configured to fetch it from"
            raise StageformerError(
                f"{self.name}: the content of {path} is not in DVC's cache, {why}; run that experiment again"
            ) from None
        return content

    def list(self, folder: str) -> list[str]:
        return sorted(self._files.find(folder))


def _resolve(spec: str, root: Path) -> tuple[str | None, list[str]]:
    """Return the commit of a revision or DVC experiment, or None, and the names that there are."""
    # Importing DVC takes half a second, which comparing two folders need not wait for.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import RevError, resolve_rev

    try:
        repo = Repo(str(root))
    except DvcException:
        return None, []
    with repo:
        try:
            commit = resolve_rev(repo.scm, spec)
            repo.scm.resolve_commit(commit)  # which a file or a folder of a commit is not, such as HEAD:params.yaml
            return commit, []
        except Exception as error:  # whatever the libraries of git say to an odd name
            if isinstance(error, DvcException) and not isinstance(error, RevError):
                return None, []  # the folder is not kept by git
            experiments = [name for found in repo.experiments.ls(all_commits=True).values() for name, _ in found]
            return None, [*repo.scm.list_branches(), *repo.scm.list_tags(), *experiments]
