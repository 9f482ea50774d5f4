"""A renewal that is repeated with new secrets if its own were refused and references lead to new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.errors import CredentialsRefused, InteractionRequired
from procountor_auth.tokens.company import check_same_company

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.settings import Settings
    from procountor_auth.stores.lineage import Lineage
    from procountor_auth.tokens.provider import TokenProvider
    from procountor_auth.tokens.stored import Acquired


def renew_rotated(
    provider: TokenProvider,
    rebuild: Callable[[Settings], TokenProvider] | None,
    known: Token | None,
    rejected: Token | None,
    lineage: Lineage | None,
) -> tuple[TokenProvider, Acquired]:
    """Get the next token; after a definite refusal once more, if references lead to other secrets by now.

    Args:
        provider: Where it comes from.
        rebuild: Builds the provider of the same settings with other secrets.
        known: See `TokenProvider.renew`.
        rejected: See there.
        lineage: See there.

    Returns:
        The provider to go on with, and the token.

    Raises:
        WrongCompany: The other secrets are another company's.
        ProcountorAuthError: Whatever else keeps it from getting a token.
    """
    try:
        return provider, provider.renew(known, rejected, lineage)
    except (CredentialsRefused, InteractionRequired) as error:
        refusal = error
    with provider.whose.named():
        rotated = provider.rotation.found() if refusal.definite else None
        if rotated is None or rebuild is None:
            raise refusal.with_traceback(None)
        other = rebuild(rotated)
        same = other.key == provider.key
        acquired = other.renew(known if same else None, rejected, lineage if same else None)
        if known is not None:
            # Whoever repeats a request with it has begun that for this company.
            check_same_company(known, acquired.token)
    return other, acquired
