"""A program that moves between hosts, companies and strategies: no request has the token of another place."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.sandbox import Sandbox
from tests.sizes import size
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.forkserver.forkserver import ForkServer

pytestmark = pytest.mark.long

HERE = Path(__file__).parent

REQUESTS = size(400, 34_000)
"""Of each of the three programs: 100,000 in all."""
ROUNDS = size(1, 20)
"""Each with all kinds of moves in it, at least."""

MOVES = ("reload", "log_in", "log_in_and_leave", "revoke", "invalidate", "log_out")

FORGIVEN = {"InteractionRequired", "StoreConflict"}
"""What callers may get: nobody has logged in at this place yet; others keep putting another token there."""


def places(*hosts: Sandbox) -> list[dict[str, Any]]:
    """Describe each host with each of two companies and each strategy, none of which share a company."""
    described = []
    for sandbox in hosts:
        people = {name: sandbox.add_profile(name) for name in ("a", "b")}
        common = {name: value for name, value in sandbox.common_settings().items() if name != "strategy"}
        common |= {f"profiles__{name}__{key}": value for name in people for key, value in people[name].items()}
        for strategy in ("client_credentials", "legacy_password", "authorization_code"):
            for name, person in people.items():
                variables = common | {"strategy": strategy, "profile": name, "legacy_policy": "allow"}
                place = {
                    "host": sandbox.base_url,
                    "profile": name,
                    "company": int(person["company"]),
                    "strategy": strategy,
                    "variables": {f"PROCOUNTOR_{key.upper()}": value for key, value in variables.items()},
                }
                if strategy == "authorization_code":
                    place["person"] = {key: person[key] for key in ("username", "password", "company")}
                described.append(place)
    return described


@pytest.fixture
def plan() -> Iterator[str]:
    """Two hosts, with companies of their own."""
    with Sandbox() as old, Sandbox() as new:
        new.world.add_company("One more Oy", 20_000)
        yield json.dumps(places(old, new))


@pytest.mark.both_error_shapes
@pytest.mark.parametrize(
    "clients", [("threads",), ("asyncio",), ("threads", "asyncio")], ids=["threads", "asyncio", "processes"]
)
def test_no_request_has_the_token_of_another_place(
    plan: str, fork_server: ForkServer, tmp_path: Path, clients: tuple[str, ...]
) -> None:
    """Under random reloads, 401s, logins, logouts and invalidations each token is of the request's host and company."""
    seed = random.getrandbits(32)  # pytest-randomly's own seed decides it
    where = "memory" if len(clients) == 1 else f"file:{tmp_path}/tokens"
    started = [
        subprocess.Popen(
            [
                fork_server.python,
                HERE / "moves.py",
                client,
                str(REQUESTS // len(clients)),
                str(ROUNDS),
                f"{seed}-{client}",
            ],
            env=inherited() | {"PROCOUNTOR_TOKEN_STORE": where},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for client in clients
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(plan)
        process.stdin.close()
        process.stdin = None
    for process in started:
        said, problem = process.communicate()
        assert problem == "", (seed, problem)
        answer = json.loads(said)
        counts = answer["counts"]
        assert answer["foreign"] == [], (seed, counts)
        errors = {name for name in counts if name[0].isupper()}
        assert errors <= FORGIVEN, (seed, counts)
        assert counts["requests"] - counts["without a token"] >= REQUESTS // len(clients) // 16, (seed, counts)
        assert counts["status 401"] > 0, (seed, counts)
        assert [kind for kind in MOVES if not counts.get(kind)] == [], (seed, counts)
