"""A headless Chromium without a network, driven by its DevTools protocol over a pipe: click, type, look."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
                 if (found := shutil.which(name))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--mute-audio",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9")
LOCAL = ("data:", "blob:", "file:", "about:", "chrome:", "devtools:")


class PageError(RuntimeError):
    """A script that was evaluated threw, or the browser did not answer."""


class Tab:
    """One open page.

    Attributes
    ----------
    console : list of str
        Warnings and errors of the console, uncaught exceptions, violations of the content policy.
    requests : list of str
        Every address that the page asked for besides itself and what is inside it (``data:``, ``blob:``).
    downloads : Path
        Folder into which the page's downloads go.
    loaded_s : float
        Seconds of the wall from the call for the page to its ``load`` event.
    """

    def __init__(self, commands: int, answers: int, downloads: Path) -> None:
        self._out, self._in, self._rest, self._number, self._session = commands, answers, b"", 0, ""
        self.console: list[str] = []
        self.requests: list[str] = []
        self.downloads = downloads
        self.loaded_s = float("nan")
        self._page, self._events, self._dialogs = "", [], 0

    def open(self, page: str, width: int, height: int) -> None:
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.resize(width, height)
        self._ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads), eventsEnabled=True)
        self._page = page
        start = time.perf_counter()
        self.ask("Page.navigate", url=page)
        self.wait_event("Page.loadEventFired", 120.0)
        self.loaded_s = time.perf_counter() - start

    def resize(self, width: int, height: int) -> None:
        """Size of the window, pixels."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._ask(method, self._session, **params)

    def evaluate(self, script: str) -> Any:
        """Value of a script; a promise is waited for. Raises PageError where it throws."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            details = told["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return told["result"].get("value")

    def wait_for(self, script: str, seconds: float = 10.0) -> Any:
        """Evaluate until it is true; PageError after the time."""
        end = time.perf_counter() + seconds
        while not (value := self.evaluate(script)):
            if time.perf_counter() > end:
                raise PageError(f"never true: {script}")
            time.sleep(0.03)
        return value

    def place(self, selector: str, number: int = 0) -> tuple[float, float]:
        """Centre of an element on the page, scrolled into view."""
        found = self.evaluate(f"""(() => {{ const node = document.querySelectorAll({json.dumps(selector)})[{number}];
            if (!node) return null; node.scrollIntoView({{block: "nearest"}}); const b = node.getBoundingClientRect();
            return [b.left + b.width / 2, b.top + b.height / 2]; }})()""")
        if found is None:
            raise PageError(f"no element {selector}")
        return found[0], found[1]

    def click(self, x: float | str, y: float = 0.0, count: int = 1) -> None:
        """Click at a point, or on the element of a selector (``tab.click("#go")``)."""
        if isinstance(x, str):
            x, y = self.place(x, int(y))
        for number in range(1, count + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=number)

    def move(self, x: float, y: float) -> None:
        """Move the pointer without a button."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def drag(self, x0: float, y0: float, x1: float, y1: float, steps: int = 12) -> None:
        """Press, move in steps, release."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x0, y=y0)
        self.ask("Input.dispatchMouseEvent", type="mousePressed", x=x0, y=y0, button="left", clickCount=1)
        for step in range(1, steps + 1):
            share = step / steps
            self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x0 + (x1 - x0) * share,
                     y=y0 + (y1 - y0) * share, button="left", buttons=1)
        self.ask("Input.dispatchMouseEvent", type="mouseReleased", x=x1, y=y1, button="left", clickCount=1)

    def wheel(self, x: float, y: float, delta: float) -> None:
        """Turn the wheel; negative zooms in."""
        self.ask("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=delta)

    def type(self, text: str, into: str = "") -> None:
        """Type text, into the element of a selector where one is given."""
        if into:
            self.click(into)
        self.ask("Input.insertText", text=text)

    def key(self, name: str) -> None:
        """Press a key: Enter, Escape, ArrowDown, Tab, Backspace ..."""
        codes = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9,
                 "Backspace": 8, "Delete": 46, "Home": 36, "End": 35, " ": 32}
        text = {"Enter": "\r", " ": " "}.get(name)
        extra = {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=codes.get(name, 0),
                     **(extra if kind == "keyDown" else {}))

    def screenshot(self) -> bytes:
        """The page as it is seen, PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def downloaded(self, pattern: str = "*", seconds: float = 10.0) -> Path:
        """The first whole file of the download folder that matches."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.ask("Runtime.evaluate", expression="0")
            found = [path for path in sorted(self.downloads.glob(pattern)) if path.suffix != ".crdownload"]
            if found:
                return found[0]
            time.sleep(0.05)
        raise PageError(f"nothing downloaded that matches {pattern}")

    def choose_file(self, selector: str, path: Path) -> None:
        """Give a file to an ``<input type=file>``."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def wait_event(self, method: str, seconds: float) -> None:
        """Read what the browser tells until an event comes."""
        end = time.perf_counter() + seconds
        while method not in self._events:
            self._read(end - time.perf_counter())

    def _ask(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        content = json.dumps(message).encode() + b"\0"
        while content:
            content = content[os.write(self._out, content):]
        end = time.perf_counter() + 120.0
        while True:
            told = self._read(end - time.perf_counter())
            if told.get("id") == message["id"]:
                if "error" in told:
                    raise PageError(f"{method}: {told['error']['message']}")
                result: dict[str, Any] = told["result"]
                return result

    def _read(self, seconds: float) -> dict[str, Any]:
        """The next message; events are noted on the way."""
        end = time.perf_counter() + seconds
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.perf_counter()))
            if not ready:
                raise PageError("the browser does not answer")
            part = os.read(self._in, 1 << 20)
            if not part:
                raise PageError("the browser has ended")
            self._rest += part
        content, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(content)
        if "method" in told:
            self._note(told["method"], told["params"])
        return told

    def _note(self, method: str, params: dict[str, Any]) -> None:
        self._events.append(method)
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.console.append(f"{params['type']}: " + " ".join(
                str(argument.get("value", argument.get("description", ""))) for argument in params["args"]))
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.console.append("exception: " + (details.get("exception", {}).get("description") or details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.console.append(f"{params['entry']['source']}: {params['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if url.partition("#")[0] != self._page.partition("#")[0] and not url.startswith(("data:", "blob:")):
                self.requests.append(url)
        elif method == "Page.javascriptDialogOpening":
            self.console.append(f"dialog: {params['type']} {params['message']}")
            self._number += 1  # answered without waiting: the answer is read with the next message
            os.write(self._out, json.dumps({"id": self._number, "method": "Page.handleJavaScriptDialog", "sessionId":
                                            self._session, "params": {"accept": True}}).encode() + b"\0")


def _start(words: list[str], to_read: int, to_write: int) -> int:
    """Start the browser with the pipes of the protocol as its file descriptors 3 and 4; its process id."""
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 64) for end in (to_read, to_write)]  # away from 3 and 4 themselves
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_DUP2, end, place) for place, end in enumerate(high, start=3)]
    actions += [(os.POSIX_SPAWN_CLOSE, end) for end in high]
    actions += [(os.POSIX_SPAWN_OPEN, out, os.devnull, os.O_WRONLY, 0) for out in (1, 2)]
    try:
        return os.posix_spawn(words[0], words, {**os.environ, "LANG": "C.UTF-8"}, file_actions=actions)
    finally:
        for end in (*high, to_read, to_write):
            os.close(end)


def _ended(process: int, seconds: float) -> bool:
    """Wait for a process to end."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if os.waitpid(process, os.WNOHANG)[0]:
            return True
        time.sleep(0.02)
    return False


@contextmanager
def chrome(page: Path, fragment: str = "", width: int = 1600, height: int = 1000) -> Iterator[Tab]:
    """Open a file in a fresh Chromium that knows no host; closed, with its profile, at the end."""
    with tempfile.TemporaryDirectory(prefix="chrome-", ignore_cleanup_errors=True) as folder:
        downloads = Path(folder, "downloads")
        downloads.mkdir()
        to_read, commands = os.pipe()
        answers, to_write = os.pipe()
        words = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder}/profile", f"--window-size={width},{height}"]
        browser = _start(words, to_read, to_write)
        try:
            tab = Tab(commands, answers, downloads)
            tab.open(page.resolve().as_uri() + (f"#{fragment}" if fragment else ""), width, height)
            yield tab
        finally:
            os.close(commands)
            if not _ended(browser, 5.0):
                os.kill(browser, signal.SIGKILL)
                os.waitpid(browser, 0)
            os.close(answers)
