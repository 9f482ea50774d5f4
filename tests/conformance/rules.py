"""The 42 rules of conformance, each with the tests that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of docs/conformance.md.

    Attributes:
        number: Its number.
        text: What must hold.
        source: Where that is written.
        tests: Files under tests/ and the functions in them that fail if it does not hold.
        note: What is particular about the service, or about this client.
    """

    number: int
    text: str
    source: str
    tests: tuple[tuple[str, str], ...]
    note: str = ""


def _rule(number: int, text: str, source: str, *tests: str, note: str = "") -> Rule:
    pairs = []
    for each in tests:
        path, _, names = each.partition("::")
        pairs += [(path, f"test_{name}") for name in names.split()]
    return Rule(number, text, source, tuple(pairs), note)


_LOOP: Final = "login/test_listener.py"
_LOGIN: Final = "login/test_login.py"
_OAUTH: Final = "protocol/test_client.py"
_REDIRECT: Final = "protocol/test_authorization_response.py"
_ANSWER: Final = "protocol/test_token_response.py"
_ROWS: Final = "conformance/test_rows.py"
_FAULTS: Final = "faults/test_token_endpoint.py::the_token_endpoint"

RULES: Final = (
    _rule(
        1,
        "The legacy login is used by explicit choice only, and warns.",
        "RFC 9700, 2.4",
        "settings/test_settings.py::there_is_no_default_strategy",
        "strategies/test_deprecation.py::choosing_legacy_warns warning_is_shown_by_default",
        note="The password grant in the vendor's own form [D].",
    ),
    _rule(2, "No store ever keeps a password.", "RFC 6819, 5.3.3", f"{_ROWS}::no_store_keeps_a_password"),
    _rule(
        3,
        "The legacy login is never a silent fallback.",
        "RFC 9700, 2.4",
        "migration/test_switch.py::without_the_setting_legacy_is_never_touched falling_back_ends_at_its_limit",
    ),
    _rule(
        4,
        "`response_type=code` is the only one.",
        "RFC 9700, 2.1.2",
        f"{_OAUTH}::a_login_url_has_the_documented_parameters",
        "strategies/test_legacy_password.py::the_first_request_is_the_documented_one",
    ),
    _rule(
        5,
        "Each attempt has a `state` of at least 128 random bits.",
        "RFC 6749, 10.10, 10.12",
        f"{_OAUTH}::every_state_is_fresh_and_long",
        f"{_LOGIN}::row_05_every_attempt_has_a_random_state_of_its_own",
        "strategies/test_legacy_password.py::every_attempt_has_a_state_of_its_own",
        note="256 bits.",
    ),
    _rule(
        6,
        "A wrong or missing `state` is refused, and the listener keeps waiting.",
        "RFC 6749, 10.12",
        f"{_LOOP}::row_06_a_wrong_or_missing_state_is_refused_and_the_listener_waits",
        f"{_LOGIN}::row_06_a_wrong_or_missing_state_changes_nothing",
        f"{_REDIRECT}::a_wrong_state_is_refused a_missing_state_is_refused_and_names_its_setting",
        note="Whether every server echoes it is open [?]: `PROCOUNTOR_ALLOW_MISSING_STATE`, for the legacy login only.",
    ),
    _rule(
        7,
        "A `state` is good for one answer.",
        "RFC 9700, 4.7.1",
        f"{_LOGIN}::row_07_a_completed_login_is_over row_07_of_many_at_once_one_is_completed",
        f"{_LOOP}::row_07_the_state_is_good_for_one_answer",
    ),
    _rule(
        8,
        "`state` is checked on error responses too.",
        "RFC 6749, 4.1.2.1",
        f"{_LOGIN}::row_08_a_denial_without_the_state_changes_nothing",
        f"{_LOOP}::row_08_an_error_without_the_state_is_anybody_s",
        f"{_REDIRECT}::an_error_needs_the_right_state_too",
    ),
    _rule(9, "Nothing can be read in `state`.", "RFC 9700, 4.7.1", f"{_ROWS}::nothing_is_readable_in_a_state"),
    _rule(
        10,
        "PKCE is S256 where it is configured, and never plain.",
        "RFC 7636, 4.2",
        f"{_OAUTH}::pkce_is_s256_with_a_fresh_verifier",
        f"{_ROWS}::a_verifier_is_never_sent_as_the_challenge",
        note="No page of the vendor's mentions PKCE [?]: off by default.",
    ),
    _rule(
        11,
        "A verifier is fresh, and has 43 to 128 characters.",
        "RFC 7636, 4.1",
        f"{_OAUTH}::pkce_is_s256_with_a_fresh_verifier",
    ),
    _rule(
        12,
        "Protection against forged redirects never rests on PKCE, which this server has not proven to support.",
        "RFC 9700, 2.1",
        f"{_ROWS}::pkce_takes_no_check_of_the_state_away",
    ),
    _rule(
        13,
        "`iss`, if it is there, must match.",
        "RFC 9207, 2.4",
        f"{_REDIRECT}::a_redirect_that_brings_no_one_code_is_refused",
        f"{_ROWS}::another_issuer_is_refused",
    ),
    _rule(
        14,
        "Test, production and sandbox keep separate tokens.",
        "RFC 9700, 4.4",
        f"{_ROWS}::hosts_have_entries_of_their_own",
    ),
    _rule(
        15,
        "A code is exchanged at most once.",
        "RFC 6749, 4.1.2",
        f"{_LOGIN}::row_07_of_many_at_once_one_is_completed",
        "transport/test_retry.py::what_is_repeated",
        _FAULTS,
    ),
    _rule(
        16,
        "Both legs have the same `redirect_uri`.",
        "RFC 6749, 4.1.3",
        f"{_LOGIN}::row_16_the_port_stands_in_both_legs row_16_another_redirect_uri_is_refused",
        f"{_OAUTH}::a_code_is_traded_with_the_same_redirect_uri",
    ),
    _rule(
        17,
        "The listener is on 127.0.0.1 and ::1 only.",
        "RFC 8252, 8.3",
        f"{_LOOP}::row_17_nothing_but_the_address_of_this_machine_is_listened_at",
        f"{_LOOP}::row_17_what_does_not_lead_to_this_machine_is_not_listened_for",
    ),
    _rule(18, "An IP literal stays one.", "RFC 8252, 8.3", f"{_LOOP}::row_18_an_ip_literal_stays_one"),
    _rule(
        19,
        "The port is a free one, or the one that is registered.",
        "RFC 8252, 7.3",
        f"{_LOOP}::row_19_a_free_port_is_filled_in row_19_a_registered_port_is_the_port",
        note="Each client has exactly one redirect URI [D].",
    ),
    _rule(
        20,
        "IPv4 and IPv6 both work.",
        "RFC 8252, 7.3",
        f"{_LOOP}::row_20_localhost_is_both row_20_localhost_works_without_ipv6",
    ),
    _rule(
        21,
        "The listener is open during a login only.",
        "RFC 8252, 8.3",
        f"{_LOOP}::row_21_the_listener_is_open_during_the_login_only row_21_an_error_in_between_closes_the_port",
        "browser/test_loopback.py::row_21_after_the_login_there_is_nobody",
    ),
    _rule(
        22,
        "Only the exact path ends the login, and nothing else does.",
        "RFC 8252, 8.3",
        f"{_LOOP}::row_22_nothing_else_ends_the_login row_22_what_is_no_request_ends_nothing",
        "browser/test_loopback.py::row_22_another_page_s_script_ends_nothing row_22_a_rebound_name_ends_nothing",
    ),
    _rule(
        23,
        "The login page opens in the system's browser.",
        "RFC 8252, 8.12",
        "cli/test_login_command.py::row_23_the_system_s_browser_is_opened",
    ),
    _rule(
        24,
        "There is no client secret in the package.",
        "RFC 8252, 8.5",
        f"{_LOGIN}::row_24_the_package_has_no_client_of_its_own",
    ),
    _rule(
        25,
        "The landing page is escaped, has no code in it, is kept nowhere and refers to nobody.",
        "RFC 6819, 4.4.1.1",
        f"{_LOOP}::row_25_every_page_is_kept_nowhere_and_runs_nothing a_page_escapes_all_that_it_is_given",
        "browser/test_login_command.py::row_25_a_server_s_words_are_text",
    ),
    _rule(26, "The listener redirects nobody.", "RFC 9700, 4.11.1", f"{_LOOP}::row_26_the_listener_redirects_nobody"),
    _rule(
        27,
        "Secrets are posted, and stand in no URL.",
        "RFC 6749, 2.3.1",
        f"{_OAUTH}::a_token_request_keeps_everything_in_the_body",
        "strategies/test_legacy_password.py::the_first_request_is_the_documented_one",
        note="The service wants them in the body since September 2023 [C].",
    ),
    _rule(
        28,
        "A request has one client authentication.",
        "RFC 6749, 2.3",
        f"{_ROWS}::a_request_has_one_client_authentication",
    ),
    _rule(
        29,
        "A request with credentials follows no redirect.",
        "RFC 9700, 4.12",
        "transport/test_transport.py::a_redirect_is_an_answer",
        _FAULTS,
    ),
    _rule(
        30,
        "HTTPS except on this machine, with certificates verified.",
        "RFC 6749, 3.2; RFC 8252, 8.3",
        "settings/test_hosts.py::plain_http_is_for_this_machine_only",
        "transport/test_transport.py::an_unknown_authority_is_refused another_host_s_certificate_is_refused",
    ),
    _rule(
        31,
        "Tokens go to the configured hosts only.",
        "RFC 9700, 4.10",
        "tokens/test_bearer.py::another_origin_gets_no_token",
        "tokens/test_bearer.py::a_redirect_to_another_origin_loses_the_token",
        _FAULTS,
    ),
    _rule(
        32,
        "netrc is ignored, and a proxy is explicit.",
        "RFC 9700, 4.10",
        "transport/test_transport.py::the_environment_s_proxies_and_passwords_are_not_used "
        "the_configured_proxy_is_used",
    ),
    _rule(
        33,
        "No token stands in a query.",
        "RFC 6750, 2.3; RFC 9700, 4.3.2",
        "tokens/test_bearer.py::the_header_is_a_bearer_token",
        "protocol/test_flow.py::the_repr_of_a_request_shows_method_and_path_alone",
        f"{_OAUTH}::a_token_request_keeps_everything_in_the_body",
    ),
    _rule(
        34,
        "An unknown `token_type` is refused.",
        "RFC 6749, 7.1",
        f"{_ANSWER}::an_unknown_token_type_is_refused a_bearer_token_may_say_so",
        note="The service sends none [D]: missing is Bearer.",
    ),
    _rule(35, "Unknown fields are ignored.", "RFC 6749, 5.1", f"{_ANSWER}::unknown_fields_are_ignored"),
    _rule(
        36,
        "A missing `expires_in` has a documented default.",
        "RFC 6749, 5.1",
        f"{_ANSWER}::a_missing_lifetime_is_taken_from_the_token a_lifetime_is_read",
        note="What the token says itself, else 3600 seconds [D].",
    ),
    _rule(
        37,
        "A new refresh token replaces the old one; an omitted one keeps it.",
        "RFC 6749, 6",
        f"{_ANSWER}::a_new_refresh_token_replaces_the_previous_one an_omitted_refresh_token_keeps_the_previous_one",
        "foreign/test_oidc_provider.py::refresh_tokens_rotate",
        note="Whether they rotate is open [?]; both work.",
    ),
    _rule(
        38,
        "`invalid_grant` is final after the store was read once more.",
        "RFC 6749, 5.2",
        "tokens/test_renewal.py::refused_refresh_token_is_looked_up_once_more "
        "refused_refresh_token_is_final_after_that",
    ),
    _rule(
        39,
        "Claims are labelled as unverified, and decide nothing.",
        "RFC 9068, 6; RFC 6750, 5.2",
        "protocol/test_claims.py::claims_are_read_whoever_signed_them",
        "protocol/test_token.py::a_token_says_whom_it_is_for",
        note="Signed with the server's own secret [D].",
    ),
    _rule(40, "No scope is asked for by default.", "RFC 6749, 3.3", f"{_ROWS}::no_scope_is_asked_for"),
    _rule(
        41,
        "Stores are 0600 or encrypted; a keychain that fails is never replaced by plain text.",
        "RFC 8252, 8.9; RFC 6819, 5.3.3",
        "stores/test_file.py::nobody_else_can_read rights_that_are_too_wide_are_narrowed",
        "stores/test_compliance.py::a_sealed_store_has_no_token_in_its_bytes",
        "stores/test_keyring.py::a_keychain_that_keeps_no_secret_is_refused what_a_keychain_raises_becomes_ours",
    ),
    _rule(
        42,
        "No token is in a log.",
        "RFC 6819, 5.1.6",
        "test_secrets.py::nothing_secret_at_debug nothing_secret_in_a_login_at_debug",
        "transport/test_transport.py::nothing_is_logged_but_the_path",
    ),
)
