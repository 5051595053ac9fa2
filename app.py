"""Serve the web page: ``python app.py``, with the options of ``colorflow app``."""

from __future__ import annotations

import sys

from colorflow.cli import main

if __name__ == "__main__":
    sys.exit(main(["app", *sys.argv[1:]]))
