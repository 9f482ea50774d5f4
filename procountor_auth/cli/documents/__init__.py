"""What `--json` prints: one model for each command. `docs/json.md` is made from them.

Documents may gain members; renaming, removing or redefining a member requires a new major version.
"""
