"""`python -m colorflow`, the same as the program `colorflow`."""

import sys

from colorflow.cli import main

if __name__ == "__main__":
    sys.exit(main())
