"""Keeps requests with secrets out of OpenTelemetry's instrumentation of other libraries.

Instrumented HTTP libraries and Redis clients pass each request to the program's hooks, and may capture its headers.
That is meant for the program's own requests, not for those for tokens, which are reported as events.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext


def uninstrumented() -> AbstractContextManager[None]:
    """Return a context that suppresses OpenTelemetry's instrumentation in this thread or task.

    If OpenTelemetry's module has not been imported, nothing is instrumented.
    """
    suppress = getattr(sys.modules.get("opentelemetry.instrumentation.utils"), "suppress_instrumentation", None)
    if suppress is None:
        return nullcontext()
    context: AbstractContextManager[None] = suppress()
    return context
