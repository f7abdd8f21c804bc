"""Runs one command of authapi as a child of `authapi dev`: warms up, waits for its settings, ends with its parent."""

import json
import os
import sys
import threading

import authapi.app
import authapi.serving  # noqa: F401  (to import these takes longest, so it is done while the servers start)
from authapi import cli, migrations
from authapi.core.settings import load
from authapi.failures import tell

PARENT = 0
"""Standard input: one line of settings, and its end is the end of the parent, however that came."""


def main() -> None:
    with open(PARENT, "rb", buffering=0, closefd=False) as parent:
        settings = parent.readline()
    if not settings:
        return
    os.environ.update(json.loads(settings))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    command, _folder_for_ps = sys.argv[1:]
    if command == "serve":
        _migrate()
    sys.argv = ["authapi", command]
    cli.main()


def _migrate() -> None:
    try:
        migrations.up(load().database_url)
    except Exception as error:
        sys.exit(tell(error))


def _end_with_parent() -> None:
    """A parent that ends well stops its children before; this one was killed, so nothing is left to be polite to."""
    while os.read(PARENT, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
