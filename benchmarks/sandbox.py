"""The sandbox under load: token requests at a steady rate, with the errors, the times and the memory.

    python benchmarks/sandbox.py [--rate 500] [--seconds 30]

Exits with status 1 if a request failed, the rate was not reached, or the memory grew after the warm-up.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode, urlsplit

CONNECTIONS = 8
WARM_UP = 20_500
"""Requests before the memory counts: the request log keeps the last 20,000."""

GROWTH = 0.05


def resident(process: subprocess.Popen[str]) -> int:
    """Return the memory of a process in KiB (Linux)."""
    found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    return int(found[1]) if found else 0


class Load:
    """Sends the same token request from a few kept connections.

    Args:
        description: What the sandbox printed.
    """

    def __init__(self, description: dict[str, str]) -> None:
        self.host = urlsplit(description["base_url"]).netloc
        names = ("client_id", "client_secret", "redirect_uri", "api_key")
        self.body = urlencode({"grant_type": "client_credentials", **{name: description[name] for name in names}})

    def run(self, total: int, rate: float | None) -> tuple[float, Counter[str], list[float]]:
        """Send `total` requests, at `rate` a second or as fast as possible.

        Returns:
            The seconds that it took, the answers by status or error, and the seconds of each request.
        """
        answers: Counter[str] = Counter()
        times: list[float] = []
        lock = threading.Lock()
        start = time.perf_counter()

        def send(worker: int) -> None:
            connection = HTTPConnection(self.host, timeout=10)
            counted: Counter[str] = Counter()
            taken = []
            for number in range(worker, total, CONNECTIONS):
                if rate is not None and (early := start + number / rate - time.perf_counter()) > 0:
                    time.sleep(early)
                began = time.perf_counter()
                try:
                    connection.request(
                        "POST",
                        "/api/oauth/token",
                        self.body,
                        {"Content-Type": "application/x-www-form-urlencoded"},
                    )
                    answer = connection.getresponse()
                    counted[str(answer.status) if json.loads(answer.read())["access_token"] else "no token"] += 1
                except (OSError, HTTPException, ValueError, KeyError) as error:
                    counted[type(error).__name__] += 1
                    connection.close()
                taken.append(time.perf_counter() - began)
            connection.close()
            with lock:
                answers.update(counted)
                times.extend(taken)

        workers = [threading.Thread(target=send, args=(worker,)) for worker in range(CONNECTIONS)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        return time.perf_counter() - start, answers, times


def main() -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="The sandbox under load.")
    parser.add_argument("--rate", type=int, default=500, help="requests a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="requests before the memory counts")
    wanted = parser.parse_args()
    began = time.perf_counter()
    command = [sys.executable, "-m", "procountor_auth", "sandbox", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        description = json.loads(process.stdout.readline())
        print(f"start of the process to its first line   {time.perf_counter() - began:8.2f} s")
        load = Load(description)
        first = resident(process)
        seconds, answers, _ = load.run(wanted.warm_up, None)
        before = resident(process)
        print(f"warm-up, as fast as possible             {wanted.warm_up / seconds:8.0f} requests/s {dict(answers)}")
        total = wanted.rate * wanted.seconds
        seconds, answers, times = load.run(total, wanted.rate)
        after = resident(process)
        process.terminate()
    rate, growth = total / seconds, after / before - 1
    cuts = statistics.quantiles(times, n=100)
    print(f"at a rate of {wanted.rate:<4}                        {rate:8.0f} requests/s for {seconds:.1f} s")
    print(f"answers                                  {dict(answers)}")
    print(f"time of a request                        {cuts[49] * 1e3:8.2f} ms median, {cuts[98] * 1e3:.2f} ms p99")
    print(f"memory                                   {first / 1024:8.1f} MiB at start, {before / 1024:.1f} after")
    print(f"                                         the warm-up, {after / 1024:.1f} at the end ({growth:+.1%})")
    return int(answers != {"200": total} or rate < 0.99 * wanted.rate or growth > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
