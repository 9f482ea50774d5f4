"""Which requests are sent again, when, and how often."""

from __future__ import annotations

import pytest

from procountor_auth.errors import ConnectionFailed
from procountor_auth.protocol.flow import Repeat, Request, Response
from procountor_auth.transport.retry import ATTEMPTS, FIRST_WAIT, Retry

OK = Response(200)


def failure(*, sent: bool, retryable: bool = True) -> ConnectionFailed:
    """Return a broken connection, before or after the request was sent."""
    error = ConnectionFailed("broken", hint="again")
    error.sent, error.retryable = sent, retryable
    return error


class Server:
    """Answers in order, the last one for ever, and counts."""

    def __init__(self, *answers: Response | ConnectionFailed) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.waits: list[float] = []

    def send(self) -> Response:
        """Answer once."""
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ConnectionFailed):
            raise answer
        return answer


def run(server: Server, repeat: Repeat, time_left: float = 30.0) -> Response:
    """Send one request."""
    request = Request("POST", "https://api.example/oauth/token", repeat=repeat)
    return Retry(request, lambda: time_left).run(server.send, server.waits.append)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404])
@pytest.mark.parametrize("repeat", Repeat)
def test_an_answer_is_an_answer(status: int, repeat: Repeat) -> None:
    """What the server has decided is not asked for again, whatever the request."""
    server = Server(Response(status))

    assert run(server, repeat).status == status
    assert (server.asked, server.waits) == (1, [])


@pytest.mark.parametrize(
    ("answer", "safe", "unprocessed"),
    [
        (Response(408), ATTEMPTS, 1),
        (Response(425), ATTEMPTS, 1),
        (Response(429), ATTEMPTS, ATTEMPTS),
        (Response(500), ATTEMPTS, 1),
        (Response(502), ATTEMPTS, 1),
        (Response(503), ATTEMPTS, ATTEMPTS),
        (Response(504), ATTEMPTS, 1),
        (failure(sent=False), ATTEMPTS, ATTEMPTS),
        (failure(sent=True), ATTEMPTS, 1),
        (failure(sent=False, retryable=False), 1, 1),
    ],
)
def test_what_is_repeated(answer: Response | ConnectionFailed, safe: int, unprocessed: int) -> None:
    """A code or a refresh token is sent again only if the server can't have acted on it; the last outcome stands."""
    for repeat, attempts in ((Repeat.SAFE, safe), (Repeat.UNPROCESSED, unprocessed)):
        server = Server(answer)
        if isinstance(answer, ConnectionFailed):
            with pytest.raises(ConnectionFailed) as failed:
                run(server, repeat)
            assert failed.value is answer
        else:
            assert run(server, repeat) is answer
        assert server.asked == attempts


def test_a_second_attempt_may_succeed() -> None:
    """As soon as there is an answer it is returned."""
    server = Server(Response(503), failure(sent=False), OK)

    assert run(server, Repeat.UNPROCESSED) is OK
    assert server.asked == 3


def test_waits_grow_with_jitter() -> None:
    """The wait doubles from attempt to attempt, less up to a half at random."""
    server = Server(Response(503))
    run(server, Repeat.SAFE)

    first, second = server.waits
    assert FIRST_WAIT / 2 <= first <= FIRST_WAIT
    assert FIRST_WAIT <= second <= 2 * FIRST_WAIT


def test_retry_after_is_honoured() -> None:
    """The server's wait is kept to, to the second."""
    server = Server(Response(429, {"retry-after": ("7",)}), OK)

    assert run(server, Repeat.SAFE) is OK
    assert server.waits == [7.0]


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """If the server asks for more time than there is, its answer stands at once."""
    server = Server(Response(429, {"retry-after": ("60",)}))

    assert run(server, Repeat.SAFE, 30.0).status == 429
    assert (server.asked, server.waits) == (1, [])
