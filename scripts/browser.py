"""Which Chromium the browser tests drive, and how a machine without one gets one: `python scripts/browser.py`.

Looked for on the PATH, then in Playwright's cache. Where there is none it is brought: by Playwright's own download,
else as Debian's package when root, else one sentence says what to install. Debian's Chromium comes without fonts for
Chinese, Japanese, Korean and emoji, so root on Debian gets those too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FONTS = ("fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji")
# One bare word a font: a family that the package brings.
FONT_FAMILIES = ("Noto Sans CJK JP", "Noto Color Emoji")
DOWNLOAD_SECONDS = 600
_SAY_WHERE = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""

# No sandbox for root, where Chromium refuses to start with one; the rest keeps Chromium from its own servers.
FLAGS = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


#: For pages of the app: a browser that has seen the tour, which comes by itself otherwise.
NO_TOUR = "try { localStorage.setItem('xattn_viz.tour', 'seen') } catch {}"


def flags() -> list[str]:
    """The command-line flags for a Chromium that asks nobody but the page under test."""
    return [*FLAGS, "--no-sandbox"] if is_root() else list(FLAGS)


def is_root() -> bool:
    """Whether this process may install Debian packages."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def find() -> str | None:
    """The path of a Chromium, from the PATH or Playwright's cache; None where there is neither."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    # Playwright says it only while it runs, and it runs but once a process: the tests' own browser may be running.
    done = subprocess.run([sys.executable, "-c", _SAY_WHERE], capture_output=True, text=True, check=True)
    path = done.stdout.strip()
    return path if Path(path).exists() else None


def fonts_missing() -> bool:
    """Whether fontconfig knows no font for Chinese, Japanese and Korean, or none for emoji."""
    if not shutil.which("fc-list"):
        return True
    known = subprocess.run(["fc-list", ":", "family"], capture_output=True, text=True, check=False).stdout
    return not all(family in known for family in FONT_FAMILIES)


def download() -> bool:
    """Let Playwright download its Chromium. False where it cannot (no network, no build for this system)."""
    print("No Chromium found: asking Playwright for one.", flush=True)
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        done = subprocess.run(command, check=False, timeout=DOWNLOAD_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False
    return done and find() is not None


def apt(*packages: str) -> bool:
    """Install Debian packages. False where this is no Debian, we are not root, or apt-get fails."""
    if not is_root() or not shutil.which("apt-get"):
        return False
    print(f"Installing {' '.join(packages)} with apt-get.", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        if subprocess.run(["apt-get", *arguments], check=False, env=environment).returncode:
            return False
    return True


def _from_debian() -> bool:
    """Bring Debian's Chromium: the one without a window where there is one, for it takes a fifth less time."""
    return any(apt(name, *FONTS) and find() is not None for name in ("chromium-headless-shell", "chromium"))


def main() -> int:
    """Bring a browser where there is none, and fonts where Debian has none. The exit code says whether one is there."""
    if find() is None and not download() and not _from_debian():
        print(
            "The browser tests need Chromium, and none could be brought: install it with your system's package "
            "manager (Debian: apt-get install chromium) or with `.venv/bin/playwright install chromium`.",
            file=sys.stderr,
        )
        return 1
    if sys.platform == "linux" and fonts_missing() and not apt("fontconfig", *FONTS):
        print(
            "Chinese, Japanese, Korean and emoji may show as empty boxes: install the Noto fonts "
            f"(Debian: apt-get install {' '.join(FONTS)}).",
            file=sys.stderr,
        )
    print(f"Browser tests use {find()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
