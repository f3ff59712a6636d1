"""A real server process of the app, for tests that need one."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_SECONDS = 60


@dataclass
class Server:
    """A running server: where it listens and what it has logged."""

    process: subprocess.Popen[bytes]
    url: str
    log_file: Path

    def log(self) -> str:
        """Everything that the process has printed so far, stdout and stderr."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End the process, by force if it does not go in ten seconds."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def streamlit_command(port: int) -> list[str]:
    """`streamlit run app.py` with this environment's Python."""
    return [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]


def start(command: Sequence[str], port: int, log_file: Path, cwd: Path = ROOT) -> Server:
    """Start a server and wait until it says that it is well. Raises RuntimeError, with the log, when it never does."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    server = Server(process, f"http://127.0.0.1:{port}", log_file)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if healthy(server.url):
            return server
        time.sleep(0.05)
    server.stop()
    raise RuntimeError(f"The app did not start within {START_SECONDS} s:\n{server.log()}")


def healthy(url: str) -> bool:
    """Whether the server answers its health check."""
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
