"""What the tests of the page need: a browser, a page that tells of every fault, and ways to hand it pictures."""

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

COMMANDS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 120_000
"""Milliseconds; long, for a machine that runs other tests beside this one."""
EVENTS = """([kind, files, text]) => {
  const carried = new DataTransfer();
  for (const [name, type, data] of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    carried.items.add(new File([bytes], name, { type }));
  }
  if (text) carried.setData(kind === "drop" ? "text/uri-list" : "text/plain", text);
  const init = { bubbles: true, cancelable: true };
  const event = kind === "drop"
    ? new DragEvent(kind, { ...init, dataTransfer: carried })
    : new ClipboardEvent(kind, { ...init, clipboardData: carried });
  (document.activeElement ?? document.body).dispatchEvent(event);
}"""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A headless Chromium of this machine."""
    command = next(filter(None, map(shutil.which, COMMANDS)))
    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=command, args=root, timeout=PATIENCE)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, server: str, **options: Any) -> Iterator[Page]:
    """The page in a profile of its own; fails at the end if it broke a policy, threw, or asked another server."""
    expect.set_options(timeout=PATIENCE)
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if is_fault(message) else None)
    page.on("request", lambda request: faults.append(request.url) if is_elsewhere(request.url, server) else None)
    page.goto(server)
    try:
        yield page
    finally:
        context.close()
    assert faults == []


def is_fault(message: ConsoleMessage) -> bool:
    """Whether the browser complains, of a broken policy say; that an answer was 422 is no fault of the page."""
    return message.type == "error" and "Failed to load resource" not in message.text


def is_elsewhere(url: str, server: str) -> bool:
    """Whether a request leaves the server; what a page holds itself is no request."""
    return not url.startswith((f"{server}/", "data:", "blob:"))


def hand_over(page: Page, kind: str, *files: tuple[str, bytes], text: str = "", media: str = "image/png") -> None:
    """Paste or drop files, (name, content), or a text, where the focus is."""
    carried = [[name, media, base64.b64encode(data).decode()] for name, data in files]
    page.evaluate(EVENTS, [kind, carried, text])


def wait_until(page: Page, is_so: Callable[[], bool]) -> None:
    """Let the browser's events come in until a claim about them holds."""
    for _ in range(PATIENCE // 50):
        if is_so():
            return
        page.wait_for_timeout(50)
    raise AssertionError("what was waited for did not happen")


def fulfil(route: Route, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    """Answer in the server's place."""
    route.fulfill(status=status, json=body, headers=headers or {})
