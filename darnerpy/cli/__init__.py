"""The `darnerpy` command, one file a command.

Each command is a module with `add_arguments(parser)` and `run(args) -> int`, the exit code. `main`
imports only the one that was asked for, so that a `darnerpy get` in a shell loop starts fast.
"""
