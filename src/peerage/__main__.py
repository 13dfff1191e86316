"""`python -m peerage` is the same as `peerage`."""

import sys

from peerage.app.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
