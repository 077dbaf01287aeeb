"""Photograph the console for the README.

``scripts/dev python scripts/screenshot.py`` runs scripts/demo, logs in by its link with the
``chromium`` on PATH, and writes engine/docs/img/console.png: the page of the journey that the
demo took its customers through.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "engine" / "docs" / "img" / "console.png"
JOURNEY = "loyalty-upgrade"
WIDTH, HEIGHT = 1280, 900


@contextmanager
def demo(folder: str, seconds: str) -> Iterator[str]:
    """The demo in its console while the block lasts; the login link."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), "--seconds", seconds],
        cwd=folder,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                print(line, end="")
                if found := re.search(r"^ +(http://\S+/login/\S+)$", line):
                    yield found[1]
                    return
        finally:
            process.send_signal(signal.SIGINT)
    raise SystemExit("the demo ended without a console")


def photograph(link: str, browser: str) -> None:
    """Log in by ``link`` and write the picture."""
    with sync_playwright() as plays:
        chromium = plays.chromium.launch(
            executable_path=browser, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(link)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(lambda url: "/login/" not in url)
        page.goto(f"{link.partition('/login/')[0]}/journeys/{JOURNEY}")
        page.screenshot(path=PICTURE)
        chromium.close()


def main() -> None:
    """Draw it anew."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("there is no chromium on PATH")
    with (
        tempfile.TemporaryDirectory() as folder,
        demo(folder, next(iter(sys.argv[1:]), "20")) as link,
    ):
        photograph(link, browser)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
