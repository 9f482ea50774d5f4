"""The rules for the bridge, which gives codes and tokens out: it is a server to old programs."""

from __future__ import annotations

from typing import Final

from .rule import rule

_BRIDGE: Final = "bridge/test_conformance.py"

BRIDGE_RULES: Final = (
    rule(
        43,
        "The bridge's codes and tokens have at least 128 random bits, and reveal nothing.",
        "RFC 6749, 10.10",
        f"{_BRIDGE}::what_the_bridge_gives_out_is_random",
        note="256 bits.",
    ),
    rule(
        44,
        "The bridge stores hashes of codes and tokens, and no password.",
        "RFC 6819, 5.1.4.1.3",
        f"{_BRIDGE}::only_hashes_are_stored",
    ),
    rule(
        45,
        "A code of the bridge works once, within 300 seconds; tokens have the documented lifetimes.",
        "RFC 6749, 4.1.2; RFC 6819, 5.1.5.3",
        f"{_BRIDGE}::a_code_works_once of_many_at_once_one_gets_the_tokens codes_and_tokens_expire",
        note="300 s seen, an hour and six months.",
    ),
    rule(
        46,
        "At the bridge, both requests of a flow have the same `redirect_uri`, which is the client's own.",
        "RFC 6749, 4.1.3, 10.6",
        f"{_BRIDGE}::both_legs_have_the_same_redirect_uri one_login_has_no_power_over_another",
    ),
    rule(
        47,
        "A client authenticates at the bridge in the form, not in a header.",
        "RFC 6749, 2.3.1, 3.2.1",
        f"{_BRIDGE}::a_client_authenticates_in_the_form",
        note="The service requires the same.",
    ),
    rule(
        48,
        "The bridge accepts a token only in a single `Authorization` header.",
        "RFC 6750, 2; RFC 9700, 4.3.2",
        f"{_BRIDGE}::no_token_in_a_query_is_accepted",
    ),
    rule(
        49,
        "The service's tokens never reach programs, and the bridge's tokens never reach the service.",
        "RFC 9700, 4.10; RFC 6819, 5.1.6",
        f"{_BRIDGE}::the_service_s_token_stays_behind_the_bridge",
        "bridge/test_headers.py::no_token_of_the_bridge_reaches_the_service",
        "bridge/test_leaks.py::nothing_secret_is_logged nothing_secret_is_printed",
    ),
    rule(
        50,
        "The bridge responds to an unknown user and to a wrong password with the same answer.",
        "RFC 6819, 5.1.4.2.3",
        f"{_BRIDGE}::who_is_unknown_and_who_is_wrong_hear_the_same",
    ),
    rule(
        51,
        "After three failed logins in a row, each further attempt is delayed; logins are limited, with `Retry-After`.",
        "RFC 6749, 4.3.2, 10.10; RFC 6585, 4",
        f"{_BRIDGE}::each_failure_takes_longer logins_are_limited",
    ),
    rule(
        52,
        "Answers of the bridge that contain a token are not cached.",
        "RFC 6749, 5.1",
        f"{_BRIDGE}::no_cache_keeps_an_answer_with_a_token",
    ),
    rule(
        53,
        "No page in a browser can use the bridge.",
        "RFC 9700, 4.1",
        "bridge/test_forwarding.py::a_page_in_a_browser_is_refused",
    ),
)
