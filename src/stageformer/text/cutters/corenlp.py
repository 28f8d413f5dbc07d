"""``corenlp``: the tokenizer of Stanford CoreNLP (Manning et al. 2014), with its jars and Java of one's own."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
from pathlib import Path

from stageformer.errors import StageformerError
from stageformer.text.cutters.base import Cutter, CutterOptions, how_path

NEEDS = ("stanza",)


class CoreNlpCutter(Cutter):
    """Starts the server of CoreNLP on this machine, asks it for words, and stops it with the process."""

    distributions = ("stanza",)
    takes = frozenset({"language", "path"})

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        self.check(options)
        from stanza.server import CoreNLPClient

        self._client = CoreNLPClient(
            annotators=["tokenize"], classpath=f"{_home(options)}/*", endpoint=f"http://localhost:{_free_port()}",
            properties=options.language or "en", be_quiet=True, timeout=60_000,
        )  # fmt: skip
        try:
            self._client.start()
            self._client.ensure_alive()
        except Exception as error:  # the client raises whatever comes up while Java starts
            self._client.stop()
            reason = " ".join(str(error).split())
            raise StageformerError(f"{_home(options)}: CoreNLP does not start from there: {reason}") from None
        atexit.register(self._client.stop)

    @classmethod
    def check(cls, options: CutterOptions) -> None:
        """Raise StageformerError if there are no jars or no Java."""
        if not _jars(options):
            raise StageformerError(
                f"the cutter corenlp needs CoreNLP, and there is no stanford-corenlp-*.jar in {_home(options)}; no "
                "package brings it: unpack the release of https://stanfordnlp.github.io/CoreNLP into FOLDER, then "
                + how_path("corenlp")
            )
        if shutil.which("java") is None:
            raise StageformerError("the cutter corenlp needs Java, and there is no command `java`")

    def words(self, text: str) -> list[str]:
        """Return the words of a text, as they are in it."""
        annotated = self._client.annotate(text)
        return [token.originalText for sentence in annotated.sentence for token in sentence.token]

    @classmethod
    def versions(cls, options: CutterOptions) -> dict[str, str]:
        """Return the version of the client, and the names of the jars, which hold that of CoreNLP."""
        return super().versions(options) | {"corenlp": ", ".join(jar.stem for jar in _jars(options))}


def _home(options: CutterOptions) -> Path:
    return Path(options.path or os.environ.get("CORENLP_HOME") or Path.home() / "stanza_corenlp")


def _jars(options: CutterOptions) -> list[Path]:
    return sorted(_home(options).glob("stanford-corenlp-*.jar"))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port: int = listener.getsockname()[1]
        return port
