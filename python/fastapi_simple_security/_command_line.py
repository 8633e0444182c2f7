"""The program `fastapi-simple-security`, which is the Rust program under a name of its own."""

import signal
import sys
from typing import NoReturn

from fastapi_simple_security._core import main as run


def main() -> NoReturn:
    """Does what the arguments of the process say, and ends it with the exit code."""
    # Python's own handler waits until Python code runs again, which is at the end. The system's
    # ends the process, and a transaction that is not committed with it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run(sys.argv[1:]))
