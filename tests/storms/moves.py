"""Sends requests while the program's configuration moves, and looks at the token of each as it leaves.

Usage: moves.py CLIENT REQUESTS MOVES SEED < PLAN. CLIENT is `threads` (of httpx and of requests) or `asyncio`. The plan
is a JSON list of places; each is a host, a strategy and a profile, with the company whose tokens belong there, who logs
in there, and the variables that describe it. The answer is a JSON object: how much of what there was, and `foreign`,
the first tokens that were another place's: which place they were for, and whose they were.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import requests

from procountor_auth.errors import InteractionRequired, ProcountorAuthError
from procountor_auth.protocol.claims import unverified_claims
from procountor_auth.sandbox.web.login_client import log_in
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from procountor_auth import Token, TokenSource
    from procountor_auth.tokens.renewing_cache import RenewingCache

SENDERS: Final = 8
SHOWN: Final = 5

begun_with: ContextVar[RenewingCache] = ContextVar("begun_with")
"""What the request that is being sent has begun with: it is for that host and profile, wherever the program goes."""


class Witness:
    """Compares each token with the place that it is used for, and counts."""

    def __init__(self, places: list[dict[str, Any]]) -> None:
        self.counts: Counter[str] = Counter()
        self.foreign: list[tuple[str, ...]] = []
        self._owners = {(place["host"], place["profile"]): place["company"] for place in places}
        self._lock = threading.Lock()

    def count(self, what: str) -> None:
        """Count one more."""
        with self._lock:
            self.counts[what] += 1

    def see(self, host: str, profile: str | None, token: str) -> None:
        """Look at a token that is used for a host and a profile."""
        claims = unverified_claims(token)
        wanted = (host, self._owners[host, str(profile)])
        if (claims["iss"], claims["cid"]) != wanted:
            self.count("foreign")
            self.foreign.append((*map(str, wanted), str(claims["iss"]), str(claims["cid"])))

    def see_request(self, url: str, authorization: str | None) -> None:
        """Look at a request as it leaves."""
        self.count("requests")
        if authorization is None:
            self.count("without a token")
            return
        bound = begun_with.get()
        if not url.startswith(f"{bound.provider.endpoints.host}/"):
            self.count("foreign")
            self.foreign.append((url, "has a token of", bound.provider.endpoints.host))
        self.see(bound.provider.endpoints.host, bound.provider.whose.name, authorization.removeprefix("Bearer "))


class Program:
    """A program whose configuration moves from place to place while it sends requests."""

    def __init__(self, places: list[dict[str, Any]], count: int, moves: int, seed: str) -> None:
        self.places, self.count, self.moves, self.seed = places, count, moves, seed
        self.hosts = sorted({place["host"] for place in places})
        self.witness = Witness(places)
        self.rng = random.Random(seed)  # noqa: S311 - no secret depends on it
        self.sending = True
        self.moved = 0
        os.environ.update(places[0]["variables"])
        of_httpx = import_module(f"procountor_auth.{backend.__name__}").ProcountorAuth()
        self.source: TokenSource = of_httpx.source
        self.auths = (of_httpx, import_module("procountor_auth.requests").ProcountorAuth(self.source))
        bind = self.source.bind

        def remembered() -> RenewingCache:
            bound: RenewingCache = bind()
            begun_with.set(bound)
            return bound

        self.source.bind = remembered

    def urls(self, number: int) -> list[str]:
        """Return where one of the senders sends its requests: to any host, wherever the tokens come from."""
        rng = random.Random(f"{self.seed} {number}")  # noqa: S311
        return [f"{rng.choice(self.hosts)}/api/users" for _ in range(self.count // SENDERS)]

    # -- the moves --------------------------------------------------------------------------------

    async def move(self) -> None:
        """Move until all is sent: each kind of move comes once in each round, in a random order."""
        kinds: list[Callable[[], Awaitable[None]]] = [self.reload] * 4
        kinds += [self.log_in, self.log_in_and_leave, self.revoke, self.revoke, self.invalidate, self.log_out]
        try:
            while self.sending:
                for kind in self.rng.sample(kinds, len(kinds)):
                    try:
                        await kind()
                    except ProcountorAuthError as error:
                        self.witness.count(type(error).__name__)
                    else:
                        self.witness.count(kind.__name__)
                self.moved += 1
        finally:
            self.moved = self.moves

    async def either(self, wait: Callable[..., Any], await_: Callable[..., Awaitable[Any]], *arguments: object) -> Any:  # noqa: ANN401 - of any operation
        """Do something in one of the two ways that there are for it."""
        return await (asyncio.to_thread(wait, *arguments) if self.rng.random() < 0.5 else await_(*arguments))

    async def go_to(self, place: dict[str, Any]) -> None:
        """Have the source go to a place; from the next request on its tokens are that place's."""
        os.environ.update(place["variables"])
        if self.rng.random() < 0.5:
            self.source.reload()
        else:
            await asyncio.to_thread(self.source.reload)
        token = await self.either(self.source.token, self.source.atoken)
        self.witness.see(place["host"], place["profile"], token.access_token)

    async def reload(self) -> None:
        """Go to any place."""
        await self.go_to(self.rng.choice(self.places))

    async def log_in(self, leave: Callable[[], Awaitable[None]] | None = None) -> None:
        """Log a person in at one of the places that need it, and maybe be elsewhere when that ends."""
        place = self.rng.choice([place for place in self.places if place["strategy"] == "authorization_code"])
        try:
            await self.go_to(place)
        except InteractionRequired:
            self.witness.count("needed a login")
        login = self.source.begin_login()
        redirected = await asyncio.to_thread(log_in, login.url, place["person"])
        if leave is not None:
            await leave()
        token: Token = await self.either(login.complete, login.acomplete, redirected)
        self.witness.see(place["host"], place["profile"], token.access_token)

    async def log_in_and_leave(self) -> None:
        """Go elsewhere while a person logs in."""
        await self.log_in(partial(self.go_to, self.rng.choice([p for p in self.places if "person" not in p])))

    async def revoke(self) -> None:
        """Have the server end the token that the source holds, without its knowing: then the API answers 401."""
        cached = self.source.bind().cached
        if cached is not None:
            host, token = unverified_claims(cached.token.access_token)["iss"], cached.token.access_token
            with backend.Client(trust_env=False) as client:
                headers = {"Authorization": f"Bearer {token}"}
                await asyncio.to_thread(client.post, f"{host}/logout", headers=headers)

    async def invalidate(self) -> None:
        """Forget the token."""
        await self.either(self.source.invalidate, self.source.ainvalidate)

    async def log_out(self) -> None:
        """Forget the token, and have the server end it."""
        await self.either(self.source.logout, self.source.alogout)

    # -- the requests -----------------------------------------------------------------------------

    def more(self, number: int) -> list[str]:
        """Return some more requests, if there were not enough moves yet."""
        return self.urls(number)[:SENDERS] if self.moved < self.moves else []

    def send(self, number: int) -> None:
        """Send requests from a thread, with requests or with httpx."""
        urls = self.urls(number)
        with watched_session(self.witness) if number % 2 else watched_client(self.witness) as client:
            while urls:
                for url in urls:
                    try:
                        client.get(url, auth=self.auths[number % 2], timeout=30)
                    except ProcountorAuthError as error:
                        self.witness.count(type(error).__name__)
                urls = self.more(number)

    async def send_in_a_loop(self, number: int, client: Any) -> None:  # noqa: ANN401 - each library's own
        """Send requests in an event loop."""
        urls = self.urls(number)
        while urls:
            for url in urls:
                try:
                    await client.get(url, auth=self.auths[0], timeout=30)
                except ProcountorAuthError as error:
                    self.witness.count(type(error).__name__)
            urls = self.more(number)

    def run_threads(self) -> None:
        """Send from threads; the moves have a thread of their own."""
        with ThreadPoolExecutor(SENDERS + 1) as pool:
            moving = pool.submit(asyncio.run, self.move())
            try:
                list(pool.map(self.send, range(SENDERS)))
            finally:
                self.sending = False
            moving.result()

    async def run_asyncio(self) -> None:
        """Send from the tasks of one event loop, in which the moves are made as well."""
        async with watched_async_client(self.witness) as client:
            moving = asyncio.create_task(self.move())
            try:
                await asyncio.gather(*(self.send_in_a_loop(number, client) for number in range(SENDERS)))
            finally:
                self.sending = False
            await moving


def watched_client(witness: Witness) -> Any:  # noqa: ANN401 - each library's own
    """Return a client of httpx or httpx2 that shows each request as it leaves, the second ones too."""

    class Watched(backend.HTTPTransport):
        def handle_request(self, request: Any) -> Any:  # noqa: ANN401 - the library's own
            witness.see_request(str(request.url), request.headers.get("Authorization"))
            response = super().handle_request(request)
            witness.count(f"status {response.status_code}")
            return response

    return backend.Client(transport=Watched())


def watched_async_client(witness: Witness) -> Any:  # noqa: ANN401 - each library's own
    """Return the same for an event loop."""

    class Watched(backend.AsyncHTTPTransport):
        async def handle_async_request(self, request: Any) -> Any:  # noqa: ANN401 - the library's own
            witness.see_request(str(request.url), request.headers.get("Authorization"))
            response = await super().handle_async_request(request)
            witness.count(f"status {response.status_code}")
            return response

    return backend.AsyncClient(transport=Watched())


def watched_session(witness: Witness) -> requests.Session:
    """Return the same for requests."""

    class Watched(requests.adapters.HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *how: Any, **more: Any) -> requests.Response:  # noqa: ANN401 - as requests sends
            witness.see_request(str(request.url), request.headers.get("Authorization"))
            response = super().send(request, *how, **more)
            witness.count(f"status {response.status_code}")
            return response

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", Watched())
    return session


def main(client: str, count: int, moves: int, seed: str) -> None:
    """Run the program; say what there was."""
    logging.disable(logging.CRITICAL)  # every foreign host is warned of, every missing login told
    program = Program(json.load(sys.stdin), count, moves, seed)
    if client == "threads":
        program.run_threads()
    else:
        asyncio.run(program.run_asyncio())
    witness = program.witness
    print(json.dumps({"counts": witness.counts, "foreign": witness.foreign[:SHOWN]}))  # noqa: T201 - this is its answer


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
