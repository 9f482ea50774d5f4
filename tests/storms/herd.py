"""Forks processes that all ask for a token at one moment, and prints what each of them got.

Usage: herd.py PROCESSES HOSTS FOLDER. The processes are dealt to hosts, each a home directory of its own in FOLDER.
One line for each process: the first digits of the hash of its token, or the name of its error.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

# What a first token imports, imported once for all children.
import procountor_auth.transport.retry
from procountor_auth import ProcountorAuthError, TokenSource
from procountor_auth.protocol import token_response as answer


def ask(tokens: TokenSource) -> str:
    """Ask for a token; return what came of it."""
    try:
        return hashlib.sha256(tokens.token().access_token.encode()).hexdigest()[:16]
    except ProcountorAuthError as error:
        return f"{type(error).__name__}: {error.message}".replace("\n", " ")


def main(processes: int, hosts: int, folder: Path) -> None:
    """Fork, wait until all are at the gate, open it, collect."""
    gate, opener = os.pipe()
    children = []
    for number in range(processes):
        answer_of_child, speak = os.pipe()
        if os.fork() == 0:
            os.close(opener)
            home = folder / f"host-{number % hosts}"
            os.environ["HOME"] = str(home)
            os.environ["XDG_STATE_HOME"] = str(home / "state")
            tokens = TokenSource.from_env()
            os.write(speak, b".")
            os.read(gate, 1)
            os.write(speak, ask(tokens).encode())
            os._exit(0)
        os.close(speak)
        children.append(answer_of_child)
    for child in children:
        os.read(child, 1)
    os.close(opener)
    for child in children:
        with os.fdopen(child, encoding="utf-8") as said:
            print(said.read())  # noqa: T201 - this is its answer
    for _ in children:
        os.wait()


if __name__ == "__main__":
    _ = (procountor_auth.transport.retry, answer)
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
