"""`python -m xattn_viz` is the command line."""

import sys

from xattn_viz.cli import main

if __name__ == "__main__":
    sys.exit(main())
