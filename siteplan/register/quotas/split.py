"""Split a quota among areas by need: largest remainder, with floors and caps, in whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from numbers import Real
from typing import Any, NamedTuple

from siteplan.errors import Problem, RegisterError


class _Area(NamedTuple):
    """One area: need, least and greatest share (None = no cap)."""

    name: str
    need: Fraction
    floor: int
    cap: int | None


def split_quota(value: int, needs: Mapping[str, float | Fraction], floors: Mapping[str, int] | None = None,
                caps: Mapping[str, int] | None = None) -> dict[str, int]:
    """Whole shares of a quota by need, each at least its floor and at most its cap.

    The exact share of an area is ``level * need`` held between floor and cap, with the one level at which all shares
    add up: what a cap cuts off (or a floor takes) is shared by need again among the others. Each area gets its exact
    share rounded down; what is left goes one by one to the largest remainders, ties to the greater need, then to the
    name that sorts first. Decimals are taken as they are written (0.1 is a tenth).

    More to split may give an area less: largest remainder has the Alabama paradox (6 : 6 : 2 gives 4, 4, 2 of 10 and
    5, 5, 1 of 11). Without one no method would keep every share within one of its exact share; the split is made once
    and then decided, so that matters less here.

    Parameters
    ----------
    value : int
    needs : mapping of str to float
        Area -> need, 0 or more. An area without need gets its floor.
    floors, caps : mapping of str to int, optional
        Only for the areas that have one; a floor is 0 and a cap is absent otherwise.

    Returns
    -------
    dict of str to int
        On the areas of ``needs``, in their order.

    Raises
    ------
    RegisterError
        A need is negative or not finite, none is above 0, a bound names an area without need given, or floors and caps
        cannot be met; every problem is listed.

    Examples
    --------
    >>> split_quota(13, {"溪西县": 50, "溪东县": 30, "云岭县": 20})
    {'溪西县': 6, '溪东县': 4, '云岭县': 3}
    >>> split_quota(13, {"溪西县": 50, "溪东县": 30, "云岭县": 20}, caps={"溪西县": 4})
    {'溪西县': 4, '溪东县': 5, '云岭县': 4}
    """
    problems = [Problem("quotas", "", *fault) for fault in _faults(value, needs, floors or {}, caps or {})]
    if problems:
        raise RegisterError(f"{value} 不能这样分解:", problems)
    areas = _areas(needs, floors or {}, caps or {})
    exact = _exact(value, areas)
    shares = {area.name: math.floor(exact[area.name]) for area in areas}
    order = sorted(areas, key=lambda area: (shares[area.name] - exact[area.name], -area.need, area.name))
    for area in order[:value - sum(shares.values())]:
        shares[area.name] += 1
    return shares


def exact_shares(value: int, needs: Mapping[str, float | Fraction], floors: Mapping[str, int] | None = None,
                 caps: Mapping[str, int] | None = None) -> dict[str, Fraction]:
    """Shares before rounding, as `split_quota` rounds them; same parameters and errors.

    >>> exact_shares(13, {"溪西县": 1, "溪东县": 3})["溪西县"]
    Fraction(13, 4)
    """
    split_quota(value, needs, floors, caps)
    return _exact(value, _areas(needs, floors or {}, caps or {}))


def _number(need: float | Fraction) -> Fraction:
    """A need as it is written in decimals."""
    return Fraction(need) if isinstance(need, int | Fraction) else Fraction(repr(float(need)))


def _areas(needs: Mapping[str, float | Fraction], floors: Mapping[str, int], caps: Mapping[str, int]) -> list[_Area]:
    return [_Area(name, _number(need), int(floors.get(name, 0)), None if caps.get(name) is None else int(caps[name]))
            for name, need in needs.items()]


def _held(level: Fraction, area: _Area) -> Fraction:
    """Share of an area at a level."""
    share = max(level * area.need, Fraction(area.floor))
    return share if area.cap is None else min(share, Fraction(area.cap))


def _exact(value: int, areas: Iterable[_Area]) -> dict[str, Fraction]:
    """Shares at the level where they add up.

    The sum rises with the level in straight pieces between the levels at which an area leaves its floor or meets its
    cap; the piece that holds the value is found by bisection, and the level on it by its slope.
    """
    areas = list(areas)
    bends = sorted({Fraction(bound) / area.need for area in areas if area.need
                    for bound in (area.floor, area.cap) if bound is not None} | {Fraction(0)})
    low, high = 0, len(bends)  # sum at bends[low] <= value; at bends[high] it is greater, or there is none
    while high - low > 1:
        middle = (low + high) // 2
        if sum(_held(bends[middle], area) for area in areas) <= value:
            low = middle
        else:
            high = middle
    level = bends[low]
    lacks = value - sum((_held(level, area) for area in areas), Fraction(0))
    slope = sum((area.need for area in areas if area.floor <= level * area.need
                 and (area.cap is None or level * area.need < area.cap)), Fraction(0))
    level += lacks / slope if lacks else 0
    return {area.name: _held(level, area) for area in areas}


def _is_number(value: Any) -> bool:
    """Whether it is a finite number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return math.isfinite(value) and float(value) >= 0


def _is_whole(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer()


def _faults(value: int, needs: Mapping[str, float | Fraction], floors: Mapping[str, int], caps: Mapping[str, int],
            ) -> Iterator[tuple[str, str, str, str]]:
    """Row, field, reason and remedy of everything that is wrong; sums are judged only where all else is right."""
    found = [*_value_faults(value, needs), *_bound_faults(needs, floors, caps)]
    if found:
        yield from found
        return
    least = sum(floors.values())
    if least > value:
        yield "", "floors", f"下限合计 {least},多于任务数 {value}", "调低下限"
    if all(name in caps for name, need in needs.items() if need):
        most = sum(caps[name] if need else floors.get(name, 0) for name, need in needs.items())
        if most < value:
            zero = "(需求为0的区域只得下限)" if not all(needs.values()) else ""
            yield "", "caps", f"上限合计 {most}{zero},少于任务数 {value}", "调高上限,或补填需求"


def _value_faults(value: int, needs: Mapping[str, float | Fraction]) -> Iterator[tuple[str, str, str, str]]:
    if not _is_whole(value):
        yield "", "value", f"任务数 {value} 不是0以上的整数", "核对任务数"
    if not needs:
        yield "", "needs", "没有区域", "列出各区域的需求"
    wrong = [name for name, need in needs.items() if not _is_number(need)]
    for name in wrong:
        yield name, "needs", f"需求 {needs[name]} 不是0以上的数", "核对需求"
    if needs and not wrong and not any(needs.values()):
        yield "", "needs", "各区域的需求都是0,没有分解的依据", "换一种需求,或直接导入已定的分解"


def _bound_faults(needs: Mapping[str, float | Fraction], floors: Mapping[str, int], caps: Mapping[str, int],
                  ) -> Iterator[tuple[str, str, str, str]]:
    for field, zh, bounds in (("floors", "下限", floors), ("caps", "上限", caps)):
        for name, bound in bounds.items():
            if name not in needs:
                yield name, field, f"{zh}中的“{name}”不在分解的区域中", "核对名称"
            elif not _is_whole(bound):
                yield name, field, f"{zh} {bound} 不是0以上的整数", f"核对{zh}"
            elif field == "caps" and _is_whole(floors.get(name, 0)) and floors.get(name, 0) > bound:
                yield name, field, f"上限 {bound} 低于下限 {floors[name]}", "核对上限和下限"
