"""Every limit of the plan, recounted from the chosen sites."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from siteplan.verify._check import Check, figure, percent
from siteplan.verify._problem import Case, Sum
from siteplan.verify._recount import attained

_ROUNDING = 1e-7
_PLACE_TOLERANCE_M = 1e-6
_UNIT_ZH = {"站址": "处", "基站": "个"}
_NAMED = 5
"""So many ids at most are named in a sentence."""


def limit_checks(case: Case) -> list[Check]:
    """One check for each limit of the certificate, and one each for spacing, venues, states, years, floors, wishes."""
    found = [*_sum_checks(case), _spacing(case), _venues(case), _locked(case), _barred(case), _fixed_years(case)]
    return [*found, *_floors(case)]


def ids(case: Case, numbers: NDArray[np.int64]) -> str:
    """Ids of candidates, the first few of them.

    Returns
    -------
    str
        Empty where there are none.
    """
    names = [str(name) for name in case.papers.candidates["site_id"].iloc[numbers[:_NAMED]]]
    return "、".join(names) + (f"等{len(numbers)}处" if len(numbers) > _NAMED else "")


def counted(case: Case, one: Sum) -> float:
    """What stands in a limit: what was there already, and the chosen sites that count."""
    stage = case.stage
    if one.year is None:
        taken = stage >= 0
    else:
        number = case.papers.years.index(one.year)
        taken = stage == number if one.count == "new" else (stage >= 0) & (stage <= number)
    return one.already + float(one.amounts[taken[one.members]].sum())


def _within(one: Sum, has: float) -> bool:
    sides = [abs(side) for side in (one.least, one.most) if np.isfinite(side)]
    scale = _ROUNDING * max(1.0, abs(has), *sides)
    return bool(one.least - scale <= has <= one.most + scale)


def _sum_checks(case: Case) -> Iterator[Check]:
    for number, one in enumerate(case.sums):
        has = counted(case, one)
        sides = [f"不少于 {figure(one.least)}"] * (one.least > -np.inf)
        sides += [f"不多于 {figure(one.most)}"] * (one.most < np.inf)
        zh = one.zh if one.year is None or str(one.year) in one.zh else f"{one.zh}({one.year}年)"
        told = f"{figure(has)} {_UNIT_ZH.get(one.unit, one.unit)}"
        if (one.amounts < 0).any():  # a share: those that count for it, of all that count
            sides, told = _share(case, one, float(case.papers.facts["limits"][number]["share"]))
        already = f"其中已有 {figure(one.already)}" if one.already else ""
        yield Check(f"limit:{number}:{one.name}", zh, _within(one, has), "、".join(sides) or "无限制",
                    told, already)


def _share(case: Case, one: Sum, share: float) -> tuple[list[str], str]:
    """What a share asks for, and the sites that count for it of all that count."""
    own = case.stage[one.members] >= 0
    free, count = int((own & (one.amounts >= 0)).sum()), int(own.sum())
    part = f"({percent(free / count)})" if count and one.unit == "站址" else ""
    return [f"不少于 {percent(share)}"], f"{free} / {count} 处{part}"


def _spacing(case: Case) -> Check:
    chosen, table = case.papers.chosen, case.papers.candidates
    own = table["spacing_m"].to_numpy()[chosen]
    widest = max(float(case.papers.facts["spacing_m"]), float(own.max(initial=0.0)))
    places = table[["x", "y"]].to_numpy()[chosen]
    pairs = cKDTree(places).query_pairs(widest, output_type="ndarray") if len(chosen) > 1 and widest > 0 else np.zeros(
        (0, 2), dtype=np.int64)
    one, other = chosen[pairs[:, 0]], chosen[pairs[:, 1]]
    apart = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T)
    asked = case.spacing_of(one, other)
    bad = np.flatnonzero(apart < asked - _PLACE_TOLERANCE_M)
    told = ";".join(f"{ids(case, one[[pair]])}与{ids(case, other[[pair]])}相距{apart[pair]:.1f}米,应不小于{asked[pair]:g}米"
                    for pair in bad[:_NAMED])
    return Check("spacing", "站间距", not len(bad), "", f"过近 {len(bad)} 对" if len(bad) else "没有过近的",
                 told)


def _venues(case: Case) -> Check:
    venue = case.venue[case.papers.chosen]
    numbers, count = np.unique(venue[venue >= 0], return_counts=True)
    twice = case.papers.chosen[np.isin(venue, numbers[count > 1])]
    return Check("venue", "同一场所只选一处", not len(twice), "",
                 f"{int((count > 1).sum())} 个场所重复" if len(twice) else "没有重复", ids(case, twice))


def _locked(case: Case) -> Check:
    state = case.papers.candidates["state"].to_numpy()
    lost = np.flatnonzero((state == "locked") & (case.stage < 0))
    if case.papers.facts["status"] in ("infeasible", "unknown") and not len(case.papers.chosen):
        return Check("locked", "必选站址全部入选", True, "", "没有方案")
    count = int((state == "locked").sum())
    told = f"缺 {ids(case, lost)}" if len(lost) else ""
    return Check("locked", "必选站址全部入选", not len(lost), f"{count} 处", f"{count - len(lost)} 处入选", told)


def _barred(case: Case) -> Check:
    state = case.papers.candidates["state"].to_numpy()
    wrong = np.flatnonzero((state == "barred") & (case.stage >= 0))
    return Check("barred", "不可用的站址没有入选", not len(wrong), "", f"{len(wrong)} 处入选" if len(wrong) else "没有入选",
                 ids(case, wrong))


def _fixed_years(case: Case) -> Check:
    if not case.papers.years:
        return Check("fixed_years", "建设年度与决定一致", True, "", "不分期")
    wrong = np.flatnonzero((case.stage >= 0) & (case.fixed >= 0) & (case.stage != case.fixed))
    return Check("fixed_years", "建设年度与决定一致", not len(wrong), "",
                 f"{len(wrong)} 处不一致" if len(wrong) else "一致", ids(case, wrong))


def _floors(case: Case) -> list[Check]:
    """Floors that are required, and wishes: how many of their floors are reached."""
    facts, papers = case.papers.facts, case.papers
    if not facts["floors"]:
        return []
    served = attained(case, papers.chosen)[0] > 0
    has = [float(weights[served[cells]].sum())
           for cells, weights in zip(papers.floor_cells, papers.floor_weights, strict=True)]
    least = [float(floor["least"]) for floor in facts["floors"]]
    met = [value >= asked - _ROUNDING * max(1.0, abs(asked)) for value, asked in zip(has, least, strict=True)]
    found = []
    for number, (floor, value, asked, good) in enumerate(zip(facts["floors"], has, least, met, strict=True)):
        if floor["required"]:
            found.append(Check(f"floor:{number}:{floor['name']}", str(floor.get("zh") or floor["name"]), good,
                               f"不少于 {figure(asked)}", figure(value)))
    for number, wish in enumerate(facts["wanted"]):
        passing = sum(met[int(entry)] for entry in wish["floors"])
        name = str(wish.get("name", number))
        found.append(Check(f"wanted:{number}:{name}", str(wish.get("zh") or name), passing >= wish["least"],
                           f"不少于 {int(wish['least'])} 个达标", f"{passing} 个达标"))
    return found


def totals(case: Case) -> pd.Series:
    """Number of sites, of base stations, and the cost of what is chosen."""
    table = case.papers.candidates.iloc[case.papers.chosen]
    return pd.Series({"sites": len(table), "stations": table["stations"].sum(), "cost_yuan": table["cost_yuan"].sum()})
