"""`python -m stylejax`."""

import sys

from stylejax.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
