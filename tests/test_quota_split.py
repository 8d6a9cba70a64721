"""Quotas split by need: worked by hand, against a slow twin, and what holds for every split."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from siteplan.errors import RegisterError
from siteplan.register.quotas import exact_shares, split_quota

COUNTIES = {"溪西县": 50, "溪东县": 30, "云岭县": 20}


@pytest.mark.parametrize(("value", "needs", "floors", "caps", "shares"), [
    (13, COUNTIES, {}, {}, [6, 4, 3]),                       # 6.5, 3.9, 2.6: two left, to .9 and .6
    (13, COUNTIES, {}, {"溪西县": 4}, [4, 5, 4]),              # 9 left as 30 : 20 = 5.4, 3.6
    (13, COUNTIES, {"云岭县": 5}, {}, [5, 3, 5]),              # 8 left as 50 : 30 = 5, 3
    (13, COUNTIES, {"云岭县": 5}, {"溪西县": 4}, [4, 4, 5]),     # 4 is left to the one between
    (6, {"甲": 1, "乙": 1, "丙": 1, "丁": 1}, {}, {}, [1, 1, 2, 2]),   # equal remainders: by name (丁 < 丙 < 乙 < 甲)
    (3, {"甲": 3, "乙": 1}, {}, {}, [2, 1]),                   # 2.25, 0.75
    (1, {"甲": 1, "乙": 3, "丙": 1}, {}, {}, [0, 1, 0]),
    (2, {"甲": 5, "乙": 3}, {}, {}, [1, 1]),                   # 1.25, 0.75
    (1, {"甲": 1, "乙": 1}, {}, {}, [0, 1]),
    (4, {"甲": 3, "乙": 1, "丙": 4}, {}, {}, [2, 0, 2]),        # 1.5, 0.5, 2: the tie goes to the greater need
    (6, {"甲": 0.1, "乙": 0.2, "丙": 0.3}, {}, {}, [1, 2, 3]),  # decimals as they are written
    (5, {"甲": 0, "乙": 2}, {"甲": 2}, {}, [2, 3]),             # no need: its floor
    (0, COUNTIES, {}, {}, [0, 0, 0]),
    (9, COUNTIES, {}, {"溪西县": 3, "溪东县": 3, "云岭县": 3}, [3, 3, 3]),
])
def test_a_quota_is_split_by_largest_remainder(value: int, needs: dict[str, float], floors: dict[str, int],
                                               caps: dict[str, int], shares: list[int]) -> None:
    assert list(split_quota(value, needs, floors, caps).values()) == shares


def test_more_to_split_may_give_an_area_less_as_the_docstring_says() -> None:
    needs = {"甲": 6, "乙": 6, "丙": 2}
    assert [split_quota(value, needs)["丙"] for value in (10, 11)] == [2, 1]


@pytest.mark.parametrize(("value", "needs", "floors", "caps", "faults"), [
    (5, {"甲": -1, "乙": 2}, {}, {}, [("甲", "needs")]),
    (5, {"甲": float("nan"), "乙": float("inf")}, {}, {}, [("甲", "needs"), ("乙", "needs")]),
    (5, {"甲": 0, "乙": 0}, {}, {}, [("", "needs")]),
    (5, {}, {}, {}, [("", "needs")]),
    (-1, {"甲": 1}, {}, {}, [("", "value")]),
    (2.5, {"甲": 1}, {}, {}, [("", "value")]),
    (5, {"甲": 1}, {"乙": 1}, {"丙": 1}, [("乙", "floors"), ("丙", "caps")]),
    (5, {"甲": 1}, {"甲": 4}, {"甲": 3}, [("甲", "caps")]),
    (5, {"甲": 1, "乙": 1}, {"甲": 3, "乙": 3}, {}, [("", "floors")]),
    (5, {"甲": 1, "乙": 1}, {}, {"甲": 2, "乙": 2}, [("", "caps")]),
    (5, {"甲": 1, "乙": 0}, {}, {"甲": 2}, [("", "caps")]),    # 乙 has no need, so it cannot take the rest
    (-1, {"甲": -1}, {"乙": -2}, {"甲": 0.5}, [("", "value"), ("甲", "needs"), ("乙", "floors"), ("甲", "caps")]),
])
def test_a_split_that_cannot_be_made_tells_every_problem(value: Any, needs: dict[str, float], floors: dict[str, Any],
                                                         caps: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    with pytest.raises(RegisterError) as caught:
        split_quota(value, needs, floors, caps)
    assert [(problem.row, problem.field) for problem in caught.value.problems] == faults


def twin(value: int, needs: dict[str, int], floors: dict[str, int], caps: dict[str, int]) -> dict[str, int] | None:
    """The same split the long way: who stands at which bound by trying, then the nearest whole shares by trying all."""
    names = sorted(needs, key=lambda name: (-needs[name], name))
    exact = next(exact_by_trying(value, names, needs, floors, caps), None)
    if exact is None:
        return None
    ranges = [range(floors.get(name, 0), min(caps.get(name, value), value) + 1) for name in names]
    best = min((shares for shares in product(*ranges) if sum(shares) == value),
               key=lambda shares: (sum((share - exact[name]) ** 2 for name, share in zip(names, shares, strict=True)),
                                   [-share for share in shares]))
    return dict(zip(names, best, strict=True))


def exact_by_trying(value: int, names: list[str], needs: dict[str, int], floors: dict[str, int],
                    caps: dict[str, int]) -> Any:
    """Exact shares: every area at its floor, at its cap, or in proportion, so that none wants to leave its bound."""
    for places in product(("floor", "cap", "free"), repeat=len(names)):
        held = {name: Fraction(floors.get(name, 0) if place == "floor" else caps.get(name, 10**9))
                for name, place in zip(names, places, strict=True) if place != "free"}
        free = [name for name in names if name not in held]
        rest, weight = value - sum(held.values()), sum(needs[name] for name in free)
        if not free:
            if rest == 0 and fits_some_level(held, needs, floors, caps):
                yield held
            continue
        if weight == 0 or rest < 0:
            continue
        level = rest / Fraction(weight)
        shares = {**held, **{name: level * needs[name] for name in free}}
        clamped = {name: min(max(level * needs[name], floors.get(name, 0)), caps.get(name, 10**9)) for name in names}
        if shares == clamped:
            yield shares


def fits_some_level(held: dict[str, Fraction], needs: dict[str, int], floors: dict[str, int],
                    caps: dict[str, int]) -> bool:
    """Whether one level holds every area at the bound it stands at."""
    least = max((share / needs[name] for name, share in held.items() if needs[name] and share > floors.get(name, 0)),
                default=Fraction(0))
    most = min((share / needs[name] for name, share in held.items() if needs[name] and share < caps.get(name, 10**9)),
               default=Fraction(10**9))
    idle = all(needs[name] or share == floors.get(name, 0) for name, share in held.items())
    return idle and least <= most


@st.composite
def splits(draw: st.DrawFn, areas: int = 4,
           most: int = 7) -> tuple[int, dict[str, int], dict[str, int], dict[str, int]]:
    names = [chr(ord("a") + number) for number in range(draw(st.integers(1, areas)))]
    needs = {name: draw(st.integers(0, 9)) for name in names}
    floors = {name: draw(st.integers(0, 2)) for name in names if draw(st.booleans())}
    caps = {name: floors.get(name, 0) + draw(st.integers(0, 4)) for name in names if draw(st.booleans())}
    return draw(st.integers(0, most)), needs, floors, caps


@given(splits())
def test_the_split_is_that_of_the_slow_twin(case: tuple[int, dict[str, int], dict[str, int], dict[str, int]]) -> None:
    value, needs, floors, caps = case
    assume(any(needs.values()))
    wanted = twin(value, needs, floors, caps)
    if wanted is None:
        with pytest.raises(RegisterError):
            split_quota(value, needs, floors, caps)
    else:
        assert split_quota(value, needs, floors, caps) == wanted


@given(splits(areas=12, most=3000))
def test_shares_add_up_stay_in_bounds_and_within_one_of_the_exact_share(
        case: tuple[int, dict[str, int], dict[str, int], dict[str, int]]) -> None:
    value, needs, floors, caps = case
    try:
        shares = split_quota(value, needs, floors, caps)
    except RegisterError:
        return
    exact = exact_shares(value, needs, floors, caps)
    assert sum(shares.values()) == value
    assert sum(exact.values()) == value
    for name, share in shares.items():
        assert floors.get(name, 0) <= share <= caps.get(name, value)
        assert abs(share - exact[name]) < 1
        assert share >= int(exact[name])
    if not floors and not caps:
        total = sum(needs.values())
        assert exact == {name: Fraction(value * need, total) for name, need in needs.items()}


@given(splits(areas=8, most=500), st.randoms(use_true_random=False), st.integers(2, 9))
def test_order_and_scale_of_needs_do_not_matter(case: tuple[int, dict[str, int], dict[str, int], dict[str, int]],
                                                random: Any, scale: int) -> None:
    value, needs, floors, caps = case
    try:
        shares = split_quota(value, needs, floors, caps)
    except RegisterError:
        return
    names = list(needs)
    random.shuffle(names)
    assert split_quota(value, {name: needs[name] * scale for name in names}, floors, caps) == shares
