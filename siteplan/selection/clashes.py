"""What does not go together in ``[selection]``, as far as the settings alone tell it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from siteplan.params import CANDIDATE_KINDS, PhaseParams, QuotaParams, SelectionParams
from siteplan.selection.limits import COLUMN_ZH, number_zh
from siteplan.setting_faults import suggestion

KINDS = ("macro", "micro")
_PARTITIONS = ("all", "county", "town", "department", "kind", "tier", "source", "owner")
"""A site has one value of each of these; of operators it may have several, so that their quotas do not add up."""


class Clash(NamedTuple):
    """What is wrong with one key of ``[selection]``."""

    key: str
    reason: str
    remedy: str


def setting_clashes(params: SelectionParams) -> list[Clash]:
    """Everything in the settings that does not go together: quotas that do not add up, keys without their partner.

    Parameters
    ----------
    params : SelectionParams

    Returns
    -------
    list of Clash
        The key (``quotas#2.least``: the second quota), the reason and the remedy in Chinese.

    Examples
    --------
    >>> counties = [{"of": "county", "value": name, "least": 20} for name in ("甲县", "乙县")]
    >>> for clash in setting_clashes(SelectionParams(max_sites=30, quotas=counties)):
    ...     print(clash.key, clash.reason, clash.remedy)
    max_sites 各县区新建站址下限合计 40,超过上限 30 下限合计减少 10,或把上限提高到 40
    """
    return [*_objective(params), *_weighted(params), *_preference(params), *_levels(params), *_phases(params.phases),
            *(Clash(f"quotas#{number}.{clash.key}", clash.reason, clash.remedy)
              for number, quota in enumerate(params.quotas, 1) for clash in _quota(quota, params.phases)),
            *_twice(params.quotas), *_rising(params.quotas), *_sums(params)]


def _objective(params: SelectionParams) -> Iterator[Clash]:
    if params.objective == "least_cost" and params.required_share is None:
        yield Clash("required_share", 'objective = "least_cost" 时须写要覆盖的比例', "写 0 到 1 之间的小数,如 0.9")
    if params.objective != "least_cost" and params.required_share is not None:
        yield Clash("required_share", '只有 objective = "least_cost" 时才用,现在不起作用',
                    '去掉它,或写 objective = "least_cost"')


def _weighted(params: SelectionParams) -> Iterator[Clash]:
    """Floors count whether a cell is served, not how surely."""
    if params.probability_weighted and (params.objective == "least_cost" or params.preference_mode == "lexicographic"):
        other = 'objective = "least_cost"' if params.objective == "least_cost" else 'preference_mode = "lexicographic"'
        yield Clash("probability_weighted", f"不能与 {other} 同用:其中的覆盖下限只看是否覆盖,不看概率", "去掉其中一项")


def _preference(params: SelectionParams) -> Iterator[Clash]:
    if params.preference_mode == "floor" and params.free_share_least is None:
        yield Clash("free_share_least", 'preference_mode = "floor" 时须写免费场所的最低比例', "写 0 到 1 之间的小数,如 0.3")
    if params.preference_mode == "cost" and not params.tier_price_people:
        yield Clash("tier_price_people", 'preference_mode = "cost" 时须写各优先级一处站址折多少人',
                    "如 tier_price_people = { 4 = 200, 5 = 400 }")
    if params.preference_mode != "cost" and params.tier_price_people:
        yield Clash("tier_price_people", '只有 preference_mode = "cost" 时才用,现在不起作用',
                    '去掉它,或写 preference_mode = "cost"')
    for tier, price in params.tier_price_people.items():
        if not (np.isfinite(price) and price >= 0):
            yield Clash(f"tier_price_people.{tier}", f"须为不小于 0 的数(现为 {price:g})", "改为人数,如 200")


def _levels(params: SelectionParams) -> Iterator[Clash]:
    levels = np.array(params.probability_levels)
    if not (np.isfinite(levels).all() and levels[0] > 0 and levels[-1] <= 1 and (np.diff(levels) > 0).all()):
        yield Clash("probability_levels", "须由小到大,都大于 0 且不大于 1", "如 [0.5, 0.75, 0.9]")


def _phases(phases: PhaseParams) -> Iterator[Clash]:
    years, worth = phases.years, phases.worth
    if any(late <= early for early, late in pairwise(years)):
        yield Clash("phases.years", "年份须由早到晚,不重复", "如 [2026, 2027, 2028]")
    if any(not 2000 <= year <= 2100 for year in years):
        yield Clash("phases.years", "年份须在 2000 到 2100 之间", "如 [2026, 2027, 2028]")
    if worth and len(worth) != len(years):
        yield Clash("phases.worth", f"有 {len(worth)} 个数,而年份有 {len(years)} 个", "每个年份写一个数,或去掉这个键")
    elif worth and not (np.isfinite(worth).all() and min(worth) >= 0 and sum(worth) > 0):
        yield Clash("phases.worth", "须为不小于 0 的数,且不全为 0", "如 [1, 1, 1]")


def _quota(quota: QuotaParams, phases: PhaseParams) -> Iterator[Clash]:
    """What is wrong with one quota by itself."""
    if quota.of == "all" and quota.value:
        yield Clash("value", 'of = "all" 是全部站址,不用 value', "去掉 value,或改 of")
    if quota.of != "all" and not quota.value.strip():
        yield Clash("value", f"未写是哪一个{COLUMN_ZH[quota.of]}", "增加 value")
    known: Mapping[str, Sequence[str]] = {"kind": KINDS, "source": CANDIDATE_KINDS}
    if quota.of in known and quota.value and quota.value not in known[quota.of]:
        yield Clash("value", f"没有这种{COLUMN_ZH[quota.of]}:{quota.value}", suggestion(quota.value, known[quota.of]))
    if quota.least is None and quota.most is None:
        yield Clash("least", "下限、上限都没有写", "增加 least 或 most")
    if quota.least is not None and quota.most is not None and quota.least > quota.most:
        yield Clash("least", f"下限 {number_zh(quota.least)} 大于上限 {number_zh(quota.most)}", "改小 least,或改大 most")
    if quota.count == "on_air" and quota.unit == "元":
        yield Clash("unit", "已花的投资没有数据,在用总量只能按站址或基站计", '改为 unit = "站址" 或 "基站",或 count = "new"')
    if quota.year is not None and quota.year not in phases.years:
        has = "、".join(map(str, phases.years)) or "(未写)"
        yield Clash("year", f"{quota.year} 年不在分期年份中,selection.phases.years 为 {has}", "改年份,或写进 [selection.phases] years")


def _who(quota: QuotaParams) -> tuple[str, str, str, bool]:
    return quota.of, quota.value, quota.unit, quota.free


def _twice(quotas: Sequence[QuotaParams]) -> Iterator[Clash]:
    first: dict[tuple[object, ...], int] = {}
    for number, quota in enumerate(quotas, 1):
        key = (*_who(quota), quota.count, quota.year)
        if key in first:
            yield Clash(f"quotas#{number}", f"与第 {first[key]} 条限额的对象、单位、年份都相同", "合并成一条,同时写 least 和 most")
        first.setdefault(key, number)


def _rising(quotas: Sequence[QuotaParams]) -> Iterator[Clash]:
    """What is on air stays: a later year can neither ask for less than an earlier one does, nor allow less."""
    found = [(quota.year, number, quota) for number, quota in enumerate(quotas, 1)
             if quota.count == "on_air" and quota.year is not None]
    found.sort(key=lambda entry: (entry[0], entry[1]))
    for place, (year, _, early) in enumerate(found):
        for later, number, late in found[place + 1:]:
            if _who(late) != _who(early) or later == year or early.least is None:
                continue
            for key in ("least", "most"):
                value = getattr(late, key)
                if value is not None and value < early.least:
                    words = {"least": "下限", "most": "上限"}[key]
                    yield Clash(f"quotas#{number}.{key}",
                                f"{later} 年底的在用{words} {number_zh(value)} 少于 {year} 年底的下限 {number_zh(early.least)}",
                                f"不小于 {number_zh(early.least)};已建的站址不拆")


def _sums(params: SelectionParams) -> Iterator[Clash]:
    """Lower limits of all parts against the upper limit of the whole."""
    yield from _sums_of_parts(params)
    yield from _sums_of_years(params)


class _Cap(NamedTuple):
    """An upper limit on everything, or (``free``) on every site that has to be free."""

    key: str
    unit: str
    counted: str
    year: int | None
    most: float
    free: bool = False


def _caps(params: SelectionParams) -> Iterator[_Cap]:
    yield _Cap("max_sites", "站址", "new", None, float(params.max_sites))
    if params.budget_yuan is not None:
        yield _Cap("budget_yuan", "元", "new", None, params.budget_yuan)
    for number, quota in enumerate(params.quotas, 1):
        if quota.of == "all" and quota.most is not None:
            yield _Cap(f"quotas#{number}.most", quota.unit, quota.count, quota.year, quota.most, quota.free)


def _needs(quotas: Sequence[QuotaParams], of: str, cap: _Cap) -> dict[str, float]:
    """Least amount of each value, by its own quota or by those of all years together; free ones are among all."""
    own: dict[str, float] = defaultdict(float)
    yearly: dict[tuple[str, bool], float] = defaultdict(float)
    for quota in quotas:
        counts = (quota.of, quota.unit, quota.count) == (of, cap.unit, cap.counted) and quota.free >= cap.free
        if counts and quota.least is not None:
            if quota.year == cap.year:
                own[quota.value] = max(own[quota.value], quota.least)
            elif cap.year is None and cap.counted == "new":
                yearly[quota.value, quota.free] += quota.least
    return {value: max(own[value], yearly[value, False], yearly[value, True])
            for value in {*own, *(value for value, _ in yearly)}}


def _sums_of_parts(params: SelectionParams) -> Iterator[Clash]:
    for cap in _caps(params):
        most, year = cap.most, cap.year
        for of in _PARTITIONS:
            total = sum(_needs(params.quotas, of, cap).values())
            if total <= most or (of == "all" and _own_least(params, cap.key) == total):  # least > most is told there
                continue
            parts = f"{'全部' if of == 'all' else f'各{COLUMN_ZH[of]}'}{'免费开放' if cap.free else ''}"
            when = "" if year is None else f"{year}年"
            what = "投资" if cap.unit == "元" else f"{'新建' if cap.counted == 'new' else '在用'}{cap.unit}"
            yield Clash(cap.key, f"{parts}{when}{what}下限合计 {number_zh(total)},超过上限 {number_zh(most)}",
                        f"下限合计减少 {number_zh(total - most)},或把上限提高到 {number_zh(total)}")


def _own_least(params: SelectionParams, key: str) -> float | None:
    if not key.startswith("quotas#"):
        return None
    return params.quotas[int(key.removeprefix("quotas#").removesuffix(".most")) - 1].least


def _sums_of_years(params: SelectionParams) -> Iterator[Clash]:
    """Yearly quotas against the quota of the same members for the whole plan."""
    for number, whole in enumerate(params.quotas, 1):
        if whole.year is not None or whole.count != "new":
            continue
        years = {quota.year: quota for quota in params.quotas if quota.year is not None and quota.count == "new"
                 and _who(quota) == _who(whole)}
        least = sum(quota.least or 0.0 for quota in years.values())
        most = [quota.most for quota in years.values() if quota.most is not None]
        if whole.most is not None and least > whole.most and whole.of != "all":
            yield Clash(f"quotas#{number}.most", f"各年下限合计 {number_zh(least)},超过上限 {number_zh(whole.most)}",
                        f"各年下限合计减少 {number_zh(least - whole.most)},或把上限提高到 {number_zh(least)}")
        every = params.phases.years and set(years) >= set(params.phases.years) and len(most) == len(years)
        if whole.least is not None and every and sum(most) < whole.least:
            yield Clash(f"quotas#{number}.least", f"各年上限合计 {number_zh(sum(most))},不到下限 {number_zh(whole.least)}",
                        f"各年上限合计增加 {number_zh(whole.least - sum(most))},或把下限降到 {number_zh(sum(most))}")
