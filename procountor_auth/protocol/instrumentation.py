"""Requests and commands that carry secrets, kept out of OpenTelemetry's instrumentation of other libraries.

Instrumented HTTP libraries and Redis clients show each request to the program's hooks, and may capture its headers. A
program that wants that for its own requests does not mean those for tokens; what happens to tokens is told by events.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext


def uninstrumented() -> AbstractContextManager[None]:
    """Return a context in which OpenTelemetry's instrumentations of this thread or task see nothing.

    Each of them imports the module that is looked for; where it is not there, nothing is instrumented.
    """
    suppress = getattr(sys.modules.get("opentelemetry.instrumentation.utils"), "suppress_instrumentation", None)
    if suppress is None:
        return nullcontext()
    context: AbstractContextManager[None] = suppress()
    return context
