"""Describes the active faults: how the sandbox currently differs from the documented service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .quick_faults import QUICK_FAULTS, REQUEST_SWITCHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .switch import Setting

_REQUESTS = {"token": "token request", "oauth": "OAuth request", "api": "API request", "all": "request"}
_RESETS = {"before": "reset", "middle": "reset in the middle of the response"}
_BODIES = {"html": "HTML instead of JSON", "malformed": "malformed JSON"}


def active_faults(settings: Sequence[Setting]) -> list[str]:
    """Return the active faults, and for how many requests, such as ``"503 for 2 more token requests"``.

    The faults of requests come first, as one entry, then each condition and quirk that differs from the default.

    Args:
        settings: Every switch with its current value.
    """
    by_name = {each.switch.name: each for each in settings}
    hit = _what_happens(by_name)
    active = [f"{hit} {_which_requests(by_name)}"] if hit else []
    rest = {name: each for name, each in by_name.items() if name not in REQUEST_SWITCHES and not each.is_default}
    values = {name: each.value for name, each in by_name.items()}
    for quick in QUICK_FAULTS:
        if not quick.hits_requests and quick.is_active(values):
            active.append(quick.label)
            for name in quick.values:
                rest.pop(name, None)
    return active + [f"{name} = {each.text or 'off'}" for name, each in rest.items()]


def _what_happens(by_name: dict[str, Setting]) -> str:
    words = [f"slow {by_name['latency'].text} s"] if by_name["latency"].value else []
    if by_name["reset"].value:
        words.append(_RESETS[by_name["reset"].text])
    # A response that is lost before its first byte has neither.
    if by_name["reset"].value != "before":
        words += [by_name["status"].text] if by_name["status"].value else []
        words += [_BODIES[by_name["body"].text]] if by_name["body"].value else []
    return " and ".join(words)


def _which_requests(by_name: dict[str, Setting]) -> str:
    request, times = _REQUESTS[by_name["where"].text], by_name["times"].value
    if times is None:
        return f"for every {request}"
    return f"for the next {request}" if times == 1 else f"for {times} more {request}s"
