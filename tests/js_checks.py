"""What several browser tests of the review map ask of an open page."""

from __future__ import annotations

import time

from chrome import PageError, Tab

STILL = "!map_siteplan._panAnim || !map_siteplan._panAnim._inProgress"
"""The map does not move by itself."""
_READY = "!window.old && document.readyState === 'complete' && window.SP && SP.onMap && SP.onMap('boundary').length > 0"


def clean(tab: Tab) -> None:
    """Nothing was asked for, nothing complained of."""
    assert [line for line in tab.console if not line.startswith("dialog: beforeunload")] == []
    assert tab.requests == []


def count(tab: Tab, selector: str) -> int:
    """How many elements there are."""
    return int(tab.evaluate(f"document.querySelectorAll({selector!r}).length"))


def text(tab: Tab, selector: str = "body") -> str:
    """What an element shows."""
    return str(tab.evaluate(f"document.querySelector({selector!r}).innerText"))


def reopen(tab: Tab, fragment: str = "") -> None:
    """Load the open page of a map anew, with another end of its address."""
    tab.evaluate(f"window.old = true; history.replaceState(null, '', '#{fragment}')")
    tab.ask("Page.reload")
    end = time.perf_counter() + 30.0
    while True:
        try:
            if tab.evaluate(_READY):
                return
        except PageError:  # asked in the moment in which the old page went
            pass
        if time.perf_counter() > end:
            raise PageError("the page did not come back")
        time.sleep(0.03)
