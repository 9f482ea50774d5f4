"""The 53 rules of conformance, each with the tests that hold it."""

from __future__ import annotations

from typing import Final

from .bridge_rules import BRIDGE_RULES
from .rule import rule

_LOOP: Final = "login/test_listener.py"
_LOGIN: Final = "login/test_login.py"
_OAUTH: Final = "protocol/test_client.py"
_REDIRECT: Final = "protocol/test_authorization_response.py"
_ANSWER: Final = "protocol/test_token_response.py"
_ROWS: Final = "conformance/test_rows.py"
_FAULTS: Final = "faults/test_token_endpoint.py::the_token_endpoint"

RULES: Final = (
    rule(
        1,
        "The legacy login is used only by explicit choice, and causes a warning.",
        "RFC 9700, 2.4",
        "settings/test_settings.py::there_is_no_default_strategy",
        "strategies/test_deprecation.py::choosing_legacy_warns warning_is_shown_by_default",
        note="The password grant in the vendor's own form.",
    ),
    rule(2, "No store ever keeps a password.", "RFC 6819, 5.3.3", f"{_ROWS}::no_store_keeps_a_password"),
    rule(
        3,
        "The legacy login is never a silent fallback.",
        "RFC 9700, 2.4",
        "migration/test_switch.py::without_the_setting_legacy_is_never_touched falling_back_ends_at_its_limit",
    ),
    rule(
        4,
        "The only response type is `code`.",
        "RFC 9700, 2.1.2",
        f"{_OAUTH}::a_login_url_has_the_documented_parameters",
        "strategies/test_legacy_password.py::the_first_request_is_the_documented_one",
    ),
    rule(
        5,
        "Each attempt has a `state` of at least 128 random bits.",
        "RFC 6749, 10.10, 10.12",
        f"{_OAUTH}::every_state_is_fresh_and_long",
        f"{_LOGIN}::row_05_every_attempt_has_a_random_state_of_its_own",
        "strategies/test_legacy_password.py::every_attempt_has_a_state_of_its_own",
        note="256 bits.",
    ),
    rule(
        6,
        "A wrong or missing `state` is refused, and the listener keeps waiting.",
        "RFC 6749, 10.12",
        f"{_LOOP}::row_06_a_wrong_or_missing_state_is_refused_and_the_listener_waits",
        f"{_LOGIN}::row_06_a_wrong_or_missing_state_changes_nothing",
        f"{_REDIRECT}::a_wrong_state_is_refused a_missing_state_is_refused_and_names_its_setting",
        note="Whether all servers return it is unknown: `PROCOUNTOR_ALLOW_MISSING_STATE`, legacy login only.",
    ),
    rule(
        7,
        "A `state` is valid for one answer.",
        "RFC 9700, 4.7.1",
        f"{_LOGIN}::row_07_a_completed_login_is_over row_07_of_many_at_once_one_is_completed",
        f"{_LOOP}::row_07_the_state_is_good_for_one_answer",
    ),
    rule(
        8,
        "`state` is checked on error responses too.",
        "RFC 6749, 4.1.2.1",
        f"{_LOGIN}::row_08_a_denial_without_the_state_changes_nothing",
        f"{_LOOP}::row_08_an_error_without_the_state_is_anybody_s",
        f"{_REDIRECT}::an_error_needs_the_right_state_too",
    ),
    rule(9, "`state` reveals nothing.", "RFC 9700, 4.7.1", f"{_ROWS}::nothing_is_readable_in_a_state"),
    rule(
        10,
        "PKCE, if configured, uses S256, never plain.",
        "RFC 7636, 4.2",
        f"{_OAUTH}::pkce_is_s256_with_a_fresh_verifier",
        f"{_ROWS}::a_verifier_is_never_sent_as_the_challenge",
        note="The vendor's documentation does not mention PKCE: it is off by default.",
    ),
    rule(
        11,
        "Each login has a new verifier of 43 to 128 characters.",
        "RFC 7636, 4.1",
        f"{_OAUTH}::pkce_is_s256_with_a_fresh_verifier",
    ),
    rule(
        12,
        "Protection against forged redirects does not rely on PKCE, which this server may not support.",
        "RFC 9700, 2.1",
        f"{_ROWS}::pkce_takes_no_check_of_the_state_away",
    ),
    rule(
        13,
        "`iss`, if present, must match.",
        "RFC 9207, 2.4",
        f"{_REDIRECT}::a_redirect_that_brings_no_one_code_is_refused",
        f"{_ROWS}::another_issuer_is_refused",
    ),
    rule(
        14,
        "Tokens of test, production and sandbox are kept separate.",
        "RFC 9700, 4.4",
        f"{_ROWS}::hosts_have_entries_of_their_own",
    ),
    rule(
        15,
        "A code is exchanged at most once.",
        "RFC 6749, 4.1.2",
        f"{_LOGIN}::row_07_of_many_at_once_one_is_completed",
        "transport/test_retry.py::what_is_repeated",
        _FAULTS,
    ),
    rule(
        16,
        "Both requests of a flow have the same `redirect_uri`.",
        "RFC 6749, 4.1.3",
        f"{_LOGIN}::row_16_the_port_stands_in_both_legs row_16_another_redirect_uri_is_refused",
        f"{_OAUTH}::a_code_is_traded_with_the_same_redirect_uri",
    ),
    rule(
        17,
        "The listener listens on 127.0.0.1 and ::1 only.",
        "RFC 8252, 8.3",
        f"{_LOOP}::row_17_nothing_but_the_address_of_this_machine_is_listened_at",
        f"{_LOOP}::row_17_what_does_not_lead_to_this_machine_is_not_listened_for",
    ),
    rule(18, "An IP literal is kept as it is.", "RFC 8252, 8.3", f"{_LOOP}::row_18_an_ip_literal_stays_one"),
    rule(
        19,
        "The port is a free one, or the registered one.",
        "RFC 8252, 7.3",
        f"{_LOOP}::row_19_a_free_port_is_filled_in row_19_a_registered_port_is_the_port",
        note="Each client has exactly one redirect URI.",
    ),
    rule(
        20,
        "IPv4 and IPv6 both work.",
        "RFC 8252, 7.3",
        f"{_LOOP}::row_20_localhost_is_both row_20_localhost_works_without_ipv6",
    ),
    rule(
        21,
        "The listener is open only during a login.",
        "RFC 8252, 8.3",
        f"{_LOOP}::row_21_the_listener_is_open_during_the_login_only row_21_an_error_in_between_closes_the_port",
        "browser/test_loopback.py::row_21_after_the_login_there_is_nobody",
    ),
    rule(
        22,
        "Only the exact path ends the login, and nothing else does.",
        "RFC 8252, 8.3",
        f"{_LOOP}::row_22_nothing_else_ends_the_login row_22_what_is_no_request_ends_nothing",
        "browser/test_loopback.py::row_22_another_page_s_script_ends_nothing row_22_a_rebound_name_ends_nothing",
    ),
    rule(
        23,
        "The login page opens in the system's browser.",
        "RFC 8252, 8.12",
        "cli/test_login_command.py::row_23_the_system_s_browser_is_opened",
    ),
    rule(
        24,
        "There is no client secret in the package.",
        "RFC 8252, 8.5",
        f"{_LOGIN}::row_24_the_package_has_no_client_of_its_own",
    ),
    rule(
        25,
        "The landing page is escaped, does not contain the code, is not cached, and sends no referrer.",
        "RFC 6819, 4.4.1.1",
        f"{_LOOP}::row_25_every_page_is_kept_nowhere_and_runs_nothing a_page_escapes_all_that_it_is_given",
        "browser/test_login_command.py::row_25_a_server_s_words_are_text",
    ),
    rule(26, "The listener never redirects.", "RFC 9700, 4.11.1", f"{_LOOP}::row_26_the_listener_redirects_nobody"),
    rule(
        27,
        "Secrets are sent in a POST body, never in a URL.",
        "RFC 6749, 2.3.1",
        f"{_OAUTH}::a_token_request_keeps_everything_in_the_body",
        "strategies/test_legacy_password.py::the_first_request_is_the_documented_one",
        note="The service has required them in the body since September 2023.",
    ),
    rule(
        28,
        "A request uses one method of client authentication.",
        "RFC 6749, 2.3",
        f"{_ROWS}::a_request_has_one_client_authentication",
    ),
    rule(
        29,
        "Redirects of a request with credentials are not followed.",
        "RFC 9700, 4.12",
        "transport/test_transport.py::a_redirect_is_an_answer",
        _FAULTS,
    ),
    rule(
        30,
        "HTTPS is required except on this machine, and certificates are verified.",
        "RFC 6749, 3.2; RFC 8252, 8.3",
        "settings/test_hosts.py::plain_http_is_for_this_machine_only",
        "transport/test_transport.py::an_unknown_authority_is_refused another_host_s_certificate_is_refused",
    ),
    rule(
        31,
        "Tokens are sent to the configured hosts only.",
        "RFC 9700, 4.10",
        "tokens/test_bearer.py::another_origin_gets_no_token",
        "tokens/test_bearer.py::a_redirect_to_another_origin_loses_the_token",
        _FAULTS,
    ),
    rule(
        32,
        "netrc is ignored, and a proxy must be configured explicitly.",
        "RFC 9700, 4.10",
        "transport/test_transport.py::the_environment_s_proxies_and_passwords_are_not_used "
        "the_configured_proxy_is_used",
    ),
    rule(
        33,
        "No token is in a query string.",
        "RFC 6750, 2.3; RFC 9700, 4.3.2",
        "tokens/test_bearer.py::the_header_is_a_bearer_token",
        "protocol/test_flow.py::the_repr_of_a_request_shows_method_and_path_alone",
        f"{_OAUTH}::a_token_request_keeps_everything_in_the_body",
    ),
    rule(
        34,
        "An unknown `token_type` is refused.",
        "RFC 6749, 7.1",
        f"{_ANSWER}::an_unknown_token_type_is_refused a_bearer_token_may_say_so",
        note="The service sends none: if it is missing, it is Bearer.",
    ),
    rule(35, "Unknown fields are ignored.", "RFC 6749, 5.1", f"{_ANSWER}::unknown_fields_are_ignored"),
    rule(
        36,
        "A missing `expires_in` has a documented default.",
        "RFC 6749, 5.1",
        f"{_ANSWER}::a_missing_lifetime_is_taken_from_the_token a_lifetime_is_read",
        note="The lifetime in the token's claims, otherwise 3600 seconds.",
    ),
    rule(
        37,
        "A new refresh token replaces the old one; if there is none, the old one is kept.",
        "RFC 6749, 6",
        f"{_ANSWER}::a_new_refresh_token_replaces_the_previous_one an_omitted_refresh_token_keeps_the_previous_one",
        "foreign/test_oidc_provider.py::refresh_tokens_rotate",
        note="Whether they rotate is unknown; both work.",
    ),
    rule(
        38,
        "`invalid_grant` is final after the store has been read again.",
        "RFC 6749, 5.2",
        "tokens/test_renewal.py::refused_refresh_token_is_looked_up_once_more "
        "refused_refresh_token_is_final_after_that",
    ),
    rule(
        39,
        "Claims are labelled as unverified, and decide nothing.",
        "RFC 9068, 6; RFC 6750, 5.2",
        "protocol/test_claims.py::claims_are_read_whoever_signed_them",
        "protocol/test_token.py::a_token_says_whom_it_is_for",
        note="Signed with the server's own secret.",
    ),
    rule(40, "No scope is requested by default.", "RFC 6749, 3.3", f"{_ROWS}::no_scope_is_asked_for"),
    rule(
        41,
        "Stores are 0600 or encrypted; plain text never replaces a failing keychain.",
        "RFC 8252, 8.9; RFC 6819, 5.3.3",
        "stores/test_file.py::nobody_else_can_read rights_that_are_too_wide_are_narrowed",
        "stores/test_compliance.py::a_sealed_store_has_no_token_in_its_bytes",
        "stores/test_keyring.py::a_keychain_that_keeps_no_secret_is_refused what_a_keychain_raises_becomes_ours",
    ),
    rule(
        42,
        "No token is in a log.",
        "RFC 6819, 5.1.6",
        "test_secrets.py::nothing_secret_at_debug nothing_secret_in_a_login_at_debug",
        "transport/test_transport.py::nothing_is_logged_but_the_path",
    ),
    *BRIDGE_RULES,
)
