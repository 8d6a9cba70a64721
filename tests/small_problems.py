"""Small problems of selection with every kind of limit, and what trying every choice finds on them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations, product

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st

from siteplan.selection.model import Floor, Row, Stage, Wanted
from siteplan.selection.model.count import breaches, value_of
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix

KINDS = ("most", "least", "quota", "budget", "share", "group", "near", "floor", "wanted", "backup", "locked", "barred",
         "least_cost", "bonus")


def plans(problem):
    """Every choice, with every stage of each candidate; stage None without stages."""
    everyone = range(len(problem))
    for chosen in chain.from_iterable(combinations(everyone, size) for size in range(len(problem) + 1)):
        for stage in product(range(max(len(problem.stages), 1)), repeat=len(chosen)):
            yield np.array(chosen, dtype=np.int64), np.array(stage, dtype=np.int32)


def best_value(problem):
    """Greatest value of a choice within the limits, None where there is none."""
    values = [value_of(problem, *plan) for plan in plans(problem) if not breaches(problem, *plan)]
    return max(values, default=None)


def some(draw, count, least=1):
    return np.array(sorted(draw(st.sets(st.integers(0, count - 1), min_size=least, max_size=count))), dtype=np.int32)


def a_row(draw, count, name, whole=True):
    """Amounts of some candidates between two sides, at times with a share of the sides missing."""
    members = some(draw, count)
    amounts = np.array(draw(st.lists(st.integers(1, 3), min_size=len(members), max_size=len(members))), dtype=float)
    amounts = amounts if whole else amounts * 0.1
    least = draw(st.integers(0, 4)) * (1.0 if whole else 0.1)
    most = least + draw(st.integers(0, 4)) * (1.0 if whole else 0.1)
    sides = draw(st.sampled_from(((least, np.inf), (-np.inf, most), (least, most))))
    return Row(name, members, amounts, *sides, already=float(draw(st.integers(0, 1))))


def floors_of(draw, cells, required):
    found = []
    for number in range(draw(st.integers(1, 3))):
        own = some(draw, cells).astype(np.int64)
        weights = np.array(draw(st.lists(st.sampled_from((0.5, 1.0, 2.0)), min_size=len(own), max_size=len(own))))
        share = draw(st.sampled_from((0.0, 0.4, 0.7, 1.0)))
        found.append(Floor(f"area{number}", own, weights, share * weights.sum(), required))
    return tuple(found)


def with_limits(draw, kinds, count, cells):
    """Keyword arguments of a problem with these kinds of limits."""
    more, everyone = {"rows": ()}, np.arange(count, dtype=np.int32)
    if "most" in kinds:
        more["rows"] += (Row("most", everyone, np.ones(count), most=draw(st.integers(0, count))),)
    if "least" in kinds:
        more["rows"] += (Row("least", everyone, np.ones(count), least=draw(st.integers(0, count))),)
        more["bonus"] = -np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)), dtype=float)
    if "quota" in kinds:
        more["rows"] += (a_row(draw, count, "county"), a_row(draw, count, "stations"))
    if "budget" in kinds:
        cost = np.array(draw(st.lists(st.sampled_from((0.1, 0.2, 0.3, 123456.7)), min_size=count, max_size=count)))
        more["rows"] += (Row("budget", everyone, cost, most=draw(st.sampled_from((0.3, 0.6, 246913.4)))),)
    if "share" in kinds:
        free = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
        more["rows"] += (Row("free", everyone, np.where(free, 0.6, -0.4), least=0.0),)
    if "group" in kinds:
        more["group"] = np.array(draw(st.lists(st.integers(-1, 1), min_size=count, max_size=count)), dtype=np.int32)
    if "near" in kinds:
        pairs = draw(st.sets(st.sampled_from(tuple(combinations(range(count), 2)))))
        more["near"] = np.array(sorted(pairs), dtype=np.int32).reshape(-1, 2)
    if "floor" in kinds or "least_cost" in kinds:
        more["floors"] = floors_of(draw, cells, True)
    if "wanted" in kinds:
        more["floors"] = more.get("floors", ()) + floors_of(draw, cells, False)
        numbers = draw(st.sets(st.integers(0, len(more["floors"]) - 1), min_size=1))
        more["wanted"] = (Wanted("villages", tuple(sorted(numbers)), draw(st.integers(0, len(numbers)))),)
    if "backup" in kinds:
        more["backup"] = draw(st.sampled_from((0.25, 0.9)))
    for name in ("locked", "barred"):
        if name in kinds:
            more[name] = np.isin(np.arange(count), draw(st.sets(st.integers(0, count - 1), max_size=2)))
    if "bonus" in kinds or "least_cost" in kinds:
        signs = (-5, -1) if "least_cost" in kinds else (-5, 5)
        more["bonus"] = np.array(draw(st.lists(st.integers(*signs), min_size=count, max_size=count)), dtype=float)
    return more


@st.composite
def problems(draw, kinds, most_candidates=6, most_cells=8):
    count, cells = draw(st.integers(2, most_candidates)), draw(st.integers(1, most_cells))
    row = st.lists(st.booleans(), min_size=count, max_size=count)
    matrix = np.array(draw(st.lists(row, min_size=cells, max_size=cells)))
    weight = np.array(draw(st.lists(st.sampled_from((0.0, 0.1, 1.0, 7.0)), min_size=cells, max_size=cells)))
    if "least_cost" in kinds:
        weight = weight * 0
    return cover_problem(reach_of_matrix(sp.csc_matrix(matrix)), weight, **with_limits(draw, kinds, count, cells))


@st.composite
def staged_problems(draw, problem):
    """The problem in two or three years, with yearly limits, and some years decided."""
    count, years = len(problem), draw(st.integers(2, 3))
    worth = draw(st.sampled_from(((0.5, 0.5, 0.0), (0.6, 0.3, 0.1), (0.0, 0.2, 0.8))))
    stages = []
    for number in range(years):
        air = (a_row(draw, count, "air"),) if draw(st.booleans()) else ()
        new = (replace(a_row(draw, count, "yearly"), already=0.0),) if draw(st.booleans()) else ()
        stages.append(Stage(2027 + number, worth[number], air, new))
    fixed = draw(st.lists(st.sampled_from((-1, -1, -1, 0, years - 1)), min_size=count, max_size=count))
    return replace(problem, stages=tuple(stages), built_in=np.array(fixed, dtype=np.int32))
