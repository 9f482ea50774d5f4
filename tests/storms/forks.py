"""Forks in the middle of a renewal, again and again; each child must get a token within two seconds.

Usage: forks.py ROUNDS. Prints how many children answered in time.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from procountor_auth import Settings, TokenSource
from procountor_auth.strategies import build


def main(rounds: int) -> int:
    """Return how many children answered."""
    settings = Settings()
    answered = 0
    for _ in range(rounds):
        tokens = TokenSource(build(settings))
        parent = threading.Thread(target=tokens.token)
        parent.start()
        while tokens._cache.renewal is None and tokens._cache.cached is None:  # until the renewal is under way
            os.sched_yield()
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # a child that hangs
            os._exit(0 if tokens.token().company_id else 1)
        parent.join()
        answered += os.waitpid(child, 0)[1] == 0
    return answered


if __name__ == "__main__":
    print(main(int(sys.argv[1])))  # noqa: T201 - this is its answer
