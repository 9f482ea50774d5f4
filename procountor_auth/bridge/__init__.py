"""The bridge: Procountor's removed legacy login for programs that can't be changed, in front of a strategy of today.

`procountor-auth bridge` serves it (extra `[bridge]`). `Bridge` in `bridge.py` is the ASGI application.
"""
