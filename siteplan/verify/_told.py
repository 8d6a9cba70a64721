"""A verdict as planners read it: the conclusion, what failed or was left out, and in one line what passed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from siteplan.verify._check import Check, Verdict

HEADINGS = ("核对项", "所称", "重算", "说明")
_NOTHING = re.compile(r"0 [项处](?:不符|不同|不一致)")
_LONG = re.compile(r"\d+\.\d{4,}")
_WRONG = "不符"


@dataclass(frozen=True)
class Told:
    """A verdict in parts, in the order of telling.

    Attributes
    ----------
    head : tuple of str
        The conclusion and what it is about.
    rows : tuple of (str, tuple of str)
        The word of each check shown (``通过``, ``未通过``, ``未核``), and its cells under :data:`HEADINGS`.
    pairs : tuple of (str, tuple of str)
        Name of a check with many lines, and its lines.
    tail : tuple of str
        What passed and is not shown, and what was not looked at.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    pairs: tuple[tuple[str, tuple[str, ...]], ...]
    tail: tuple[str, ...]


def told_of(verdict: Verdict, *, full: bool = False) -> Told:
    """What to print of a verdict.

    Parameters
    ----------
    verdict : Verdict
    full : bool
        Every check and every pair of the spot check; otherwise those that failed or could not be done.

    Examples
    --------
    >>> checks = (Check("a", "目标值", True), Check("gap", "间隙", False, "0.11%", "0.18%"))
    >>> found = told_of(Verdict(False, "未通过", "optimal", 1, 1, 0, checks, (), ("复核结论:未通过", "未核对:地图")))
    >>> found.rows, found.tail
    ((('未通过', ('未通过 间隙', '0.11%', '0.18%', '')),), ('其余 1 项通过:目标值', '未核对:地图'))
    """
    shown = [check for state in (False, None, True) for check in verdict.checks
             if check.ok is state and (full or not state)]
    passed = [] if full else [check.zh for check in verdict.checks if check.ok]
    rest = f"{'其余' if shown else '全部'} {len(passed)} 项通过:{';'.join(passed)}"
    pairs = tuple((check.zh, tuple(_lines(check, full))) for check in shown if "\n" in check.told)
    return Told(verdict.summary[:-1], tuple((check.word, _cells(check)) for check in shown),
                tuple((zh, lines) for zh, lines in pairs if lines),
                (*([rest] if passed else []), *verdict.summary[-1:]))


def _cells(check: Check) -> tuple[str, ...]:
    """Cells of a check; nothing where it says no more than that nothing is wrong."""
    claimed, recounted = (_rounded("" if _NOTHING.fullmatch(text) else text) for text in (check.expected, check.found))
    told = "见下" if "\n" in check.told else check.told
    return f"{check.word} {check.zh}", claimed, recounted, _rounded(told)


def _lines(check: Check, full: bool) -> Iterator[str]:
    """Lines of a check that has many: all of them, or those that contradict."""
    for number, line in enumerate(check.told.splitlines()):
        if full or line.endswith(_WRONG) or (number == 0 and check.ok is None):
            yield _rounded(line)


def _rounded(text: str) -> str:
    """The text with three decimals at most in its numbers.

    >>> _rounded("概率 0.986991,间隙 0.0042%,记为服务 1")
    '概率 0.987,间隙 0.0042%,记为服务 1'
    """
    return _LONG.sub(lambda found: found[0] if text[found.end():found.end() + 1] == "%" else f"{float(found[0]):.3f}",
                     text)
