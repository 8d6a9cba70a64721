"""What checking finds: one check with its figures, all of them together, and files that cannot be checked at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from siteplan.errors import SiteplanError

PASSED, FAILED, PARTLY = "通过", "未通过", "部分未核"
STATUS_ZH = {"optimal": "已证明最优", "feasible": "可行", "infeasible": "无解", "unknown": "未知"}
"""Status words of a certificate as planners read them."""


class CertificateError(SiteplanError, ValueError):
    """The certificate, or a file beside it that it is held against, is missing or damaged; all problems are listed."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes
    ----------
    name : str
        Key, unique within a verdict.
    zh : str
        The same in words for planners.
    ok : bool or None
        None: it could not be checked; ``told`` says why.
    expected, found : str
        What the files claim or a limit asks for (所称), and what was recounted (重算).
    told : str
        One sentence more, where there is more to say.
    """

    name: str
    zh: str
    ok: bool | None
    expected: str = ""
    found: str = ""
    told: str = ""

    @property
    def word(self) -> str:
        """``通过``, ``未通过`` or ``未核``.

        >>> Check("value", "目标值", None).word
        '未核'
        """
        return "未核" if self.ok is None else PASSED if self.ok else FAILED


@dataclass(frozen=True)
class Verdict:
    """What is to be thought of a plan and its certificate.

    Attributes
    ----------
    ok : bool
        No check failed (some may not have been possible, see ``word``).
    word : str
        ``通过``, ``未通过`` or ``部分未核``.
    status : str
        The status word that the certificate claims: optimal, feasible, infeasible or unknown.
    value, bound, gap : float
        As recounted here: value of the plan, what no plan exceeds, and how far the plan is from it at most.
    checks : tuple of Check
    sentences : tuple of str
        The verdict in words for planners, with a line for each check that failed or could not be done.
    summary : tuple of str
        The same without those lines.
    """

    ok: bool
    word: str
    status: str
    value: float
    bound: float
    gap: float
    checks: tuple[Check, ...]
    sentences: tuple[str, ...]
    summary: tuple[str, ...] = ()

    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(check.name for check in self.checks if check.ok is False)

    def facts(self) -> dict[str, Any]:
        """The same as plain values for JSON; numbers that are not finite are null."""
        numbers = {name: number if abs(number) < float("inf") else None
                   for name, number in (("value", self.value), ("bound", self.bound), ("gap", self.gap))}
        checks = [{"name": check.name, "zh": check.zh, "ok": check.ok, "expected": check.expected,
                   "found": check.found, "told": check.told} for check in self.checks]
        return {"ok": self.ok, "word": self.word, "status": self.status, **numbers, "checks": checks,
                "sentences": list(self.sentences), "summary": list(self.summary)}


def word_of(checks: tuple[Check, ...]) -> str:
    """The verdict that checks add up to.

    >>> word_of((Check("a", "", True), Check("b", "", None))), word_of((Check("a", "", None), Check("b", "", False)))
    ('部分未核', '未通过')
    """
    found = {check.ok for check in checks}
    return FAILED if False in found else PARTLY if None in found else PASSED


def figure(value: float, decimals: int = 2) -> str:
    """A number as it is told: two decimals at most, those below 1 with three significant digits.

    >>> figure(12302.9020001), figure(5), figure(float("inf")), figure(0.001234), figure(0.00000012)
    ('12302.9', '5', '未知', '0.00123', '1.2e-07')
    """
    if not abs(value) < float("inf"):
        return "未知"
    if value and abs(value) < 1:
        return f"{value:.{max(decimals, 3)}g}"
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"


def percent(share: float, decimals: int = 2) -> str:
    """A share in percent with two decimals; below 0.1 % with two significant digits, so that little is not nothing.

    >>> percent(0.0439484), percent(0.0), percent(0.0000421), percent(float("inf"))
    ('4.39%', '0%', '0.0042%', '未知')
    """
    if not abs(share) < float("inf"):
        return "未知"
    if abs(share) < 1e-3:
        return f"{100 * share:.{decimals}g}%"
    return f"{share:.{decimals}%}"


def figures(claimed: float, recounted: float) -> tuple[str, str]:
    """Two numbers to be told side by side: more decimals where they would look the same, and are not.

    >>> figures(85446.304, 85446.3041), figures(100.0, 101.0), figures(100.0001, 100.0009)
    (('85446.3', '85446.3'), ('100', '101'), ('100', '100.001'))
    """
    return _apart(figure, claimed, recounted)


def percents(claimed: float, recounted: float) -> tuple[str, str]:
    """Two shares in percent, as :func:`figures`.

    >>> percents(0.001132, 0.001819), percents(0.0100004, 0.0100041)
    (('0.11%', '0.18%'), ('1.0000%', '1.0004%'))
    """
    return _apart(percent, claimed, recounted)


def _apart(tell: Callable[[float, int], str], one: float, other: float) -> tuple[str, str]:
    for decimals in range(2, 9):
        told = tell(one, decimals), tell(other, decimals)
        if told[0] != told[1] or near(one, other):
            break
    return told


def near(one: float, other: float, relative: float = 1e-6, absolute: float = 1e-9) -> bool:
    """Whether two numbers are the same but for rounding.

    >>> near(1e6, 1e6 + 0.5), near(1e6, 1e6 + 2), near(float("inf"), float("inf"))
    (True, False, True)
    """
    return one == other or abs(one - other) <= absolute + relative * max(abs(one), abs(other))
