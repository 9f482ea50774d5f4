"""The faults of the token endpoint that meet a login which was saved in one place and resumed in another."""

from __future__ import annotations

from typing import Final

from .tables import TOKEN_ENDPOINT

_IDS: Final = frozenset(
    {
        *("transport-refused", "transport-connect-timeout", "transport-bad-certificate", "transport-hung-up"),
        *("transport-reset-in-the-body", "transport-stall-before-the-answer", "transport-slow-body"),
        *("transport-endless-body", "transport-proxy-407-tunnel", "transport-dead-keep-alive"),
        *("status-400-invalid-grant", "status-400-errors-invalid-grant", "status-401-errors-invalid-client"),
        *("status-400-errors-redirect-uri", "status-400-errors-for-now", "status-429-retry-after-seconds"),
        *("status-500", "status-503-then-right", "status-204", "status-401-empty", "status-403-page"),
        *("body-empty", "body-error-beside-a-token", "body-duplicate-keys", "body-gzip-bomb"),
        *("fields-all-right", "fields-access_token-crlf", "fields-refresh_token-missing"),
        *("fields-token_type-unknown", "redirect-307-elsewhere", "redirect-https-to-http"),
        *("shape-api-echo", "shape-api-beside-a-token"),
    }
)

RESUMED: Final = tuple(fault for fault in TOKEN_ENDPOINT if fault.id in _IDS)
"""Some of each kind. What has to come of them is what comes of them where the login was begun."""

ELSEWHERE: Final = tuple(
    fault
    for fault in RESUMED
    if fault.id
    in {"fields-all-right", "transport-hung-up", "status-400-errors-invalid-grant", "status-401-errors-invalid-client"}
)
"""Those that another process meets: what it does is the same, so that a few are enough."""
