"""Measures how long a new token exists in memory only.

Run: .venv/bin/python benchmarks/renewal.py [RENEWALS]

That is the window in which a kill loses a refresh token that the server has just replaced: from the
answer to the end of the durable write.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from procountor_auth import Settings, TokenSource
from procountor_auth.sandbox import Quirks, Sandbox
from procountor_auth.stores.file import FileStore
from procountor_auth.strategies import build
from procountor_auth.tokens import renewal


def main(renewals: int) -> None:
    """Print the median and the 99th percentile."""
    with Sandbox(quirks=Quirks(refresh_token="rotate")) as sandbox, tempfile.TemporaryDirectory() as folder:
        variables = sandbox.environment("authorization_code", refresh_token=True)
        settings = Settings(**{name.removeprefix("PROCOUNTOR_").lower(): value for name, value in variables.items()})
        source = TokenSource(build(settings), store=FileStore(Path(folder) / "tokens"))
        source.token()
        windows = [window(source) for _ in range(renewals)]
    windows.sort()
    print(
        f"answer to durable write, {renewals} renewals, file store: median {statistics.median(windows) * 1e3:.2f} ms, "
        f"p99 {windows[int(len(windows) * 0.99)] * 1e3:.2f} ms"
    )


def window(source: TokenSource) -> float:
    """Return the seconds from the answer of one renewal until its token is durable."""
    moments: list[float] = []
    provider = source._cache.provider
    ask, write = provider.drive, renewal.write_token  # type: ignore[attr-defined]  # the two ends of the window

    def asked(*arguments: object) -> object:
        answer: object = ask(*arguments)  # type: ignore[arg-type]
        moments.append(time.perf_counter())
        return answer

    def written(*arguments: object) -> object:
        acquired: object = write(*arguments)  # type: ignore[arg-type]
        moments.append(time.perf_counter())
        return acquired

    provider.drive, renewal.write_token = asked, written  # type: ignore[method-assign,assignment,attr-defined]
    try:
        source.renew(source.token())
    finally:
        provider.drive, renewal.write_token = ask, write  # type: ignore[method-assign,attr-defined]
    return moments[1] - moments[0]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
