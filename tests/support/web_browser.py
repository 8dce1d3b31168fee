"""A headless Chromium driven through chromedriver's own protocol (W3C WebDriver), over HTTP."""

from __future__ import annotations

import base64
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from flows._server import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PATIENCE_SECONDS = 60
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# Chromium as root, without a screen, that asks nobody for anything
ALONE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_ARGUMENTS = ["--headless=new", *ALONE, "--window-size=1400,1800"]


class Browser:
    """One window; what is looked for is waited for."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client = client
        self._session = session

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self._client.request(
            method, f"/session/{self._session}{path}", json=body if method == "POST" else None
        )
        value = answer.json()["value"]
        if answer.is_error:
            raise LookupError(value["message"])
        return value

    def open(self, url: str) -> None:
        """Load a page."""
        self._ask("POST", "/url", url=url)

    @property
    def url(self) -> str:
        """Where the window is."""
        return self._ask("GET", "/url")

    def run(self, script: str, *words: Any) -> Any:
        """What a script of the page returns."""
        return self._ask("POST", "/execute/sync", script=script, args=list(words))

    def text(self) -> str:
        """What a person reads on the page."""
        return self.run("return document.body.innerText")

    def find(self, xpath: str) -> str:
        """The first element of this path, once it is there."""

        def look() -> str | None:
            found = self._ask("POST", "/elements", using="xpath", value=xpath)
            return found[0][_ELEMENT] if found else None

        return self.wait(look, xpath)

    def click(self, xpath: str) -> None:
        """Scroll to an element and click on it, once no message covers it."""
        element = self.find(xpath)
        self.run("arguments[0].scrollIntoView({block: 'center'})", {_ELEMENT: element})

        def click() -> bool:
            try:
                self._ask("POST", f"/element/{element}/click")
            except LookupError as error:
                if "click intercepted" in str(error):
                    return False
                raise
            return True

        self.wait(click, xpath)

    def type(self, xpath: str, text: str) -> None:
        """Put a text in the place of what stands in a field."""
        element = self.find(xpath)
        self.run("arguments[0].scrollIntoView({block: 'center'})", {_ELEMENT: element})
        self._ask("POST", f"/element/{element}/clear")
        self._ask("POST", f"/element/{element}/value", text=text)

    def wait[T](self, look: Callable[[], T], what: str, seconds: float = _PATIENCE_SECONDS) -> T:
        """What `look` finds, once it does."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, f"no {what} on {self.url}:\n{self.text()}"
            time.sleep(0.2)
        return found

    def wait_for(self, text: str, seconds: float = _PATIENCE_SECONDS) -> str:
        """The page's text, once this stands in it."""
        return self.wait(lambda: text in (t := self.text()) and t, repr(text), seconds)

    def keep(self, path: Path) -> Path:
        """A picture of the window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))
        return path


@contextmanager
def headless_chromium(folder: Path) -> Iterator[Browser]:
    """A browser with an empty profile in this folder."""
    port = free_port()
    with (folder / "chromedriver.log").open("wb") as log:
        driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120
        ) as client:
            session = _start(client, folder)
            try:
                yield Browser(client, session)
            finally:
                client.delete(f"/session/{session}")
    finally:
        driver.terminate()
        driver.wait(timeout=20)


def _start(client: httpx.Client, folder: Path) -> str:
    options = {"args": [*_ARGUMENTS, f"--user-data-dir={folder / 'profile'}"]}
    wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            answer = client.post("/session", json=wanted)
        except httpx.ConnectError:
            assert time.monotonic() < deadline, "chromedriver did not start"
            time.sleep(0.1)
        else:
            answer.raise_for_status()
            return answer.json()["value"]["sessionId"]
