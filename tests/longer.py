"""Tests too long for `make test`: each kind has a make target of its own, which asks for it in the environment."""

from __future__ import annotations

import os

import pytest

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
"""`make fuzz`: more examples, more drawn cases."""


def asked(target: str) -> bool:
    """Whether ``make target`` runs the tests (cities, browser, story)."""
    return bool(os.environ.get(f"SITEPLAN_{target.upper()}"))


def only_with(target: str, why: str) -> pytest.MarkDecorator:
    """Skipped but with ``make target``."""
    return pytest.mark.skipif(not asked(target), reason=f"{why}: make {target}")
