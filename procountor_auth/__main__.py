"""`python -m procountor_auth`: the command `procountor-auth`."""

from __future__ import annotations

from procountor_auth.cli import main

if __name__ == "__main__":
    main()
