"""Limits of a plan: count quotas, budget, free venues; from the settings to rows of the problem and to the certificate.

Every limit has the words of the certificate, so that whoever recounts the plan reads what was asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.params import PhaseParams, QuotaParams, SelectionParams
from siteplan.selection.model.problem import Floor, Row, Stage

MAX_SITES, BUDGET, FREE_SHARE = "max_sites", "budget_yuan", "free_share"
"""Names of the limits that are no quotas."""
COLUMNS = {"county": "county", "town": "town", "department": "department", "operator": "networks",
           "requested_by": "operators", "kind": "kind", "tier": "tier", "source": "source", "owner": "owner"}
"""Column of the sites table that a limit of one value looks at; of ``operators`` one of the ``|``-joined names, of
``networks`` one of the operators of the 5G networks, see :func:`operators_served`."""
COLUMN_ZH = {"county": "县区", "town": "镇街", "department": "主管部门", "operator": "运营商", "requested_by": "提出需求的运营商",
             "kind": "站型", "tier": "优先级", "source": "来源", "owner": "产权人"}
EVERY = "*"
"""Networks of a site that serves whoever wants it."""
_UNIT_KEYS = {"站址": "sites", "基站": "stations", "元": "yuan"}
_MEASURE_ZH = {"站址": "处", "基站": "个", "元": "元"}
_VALUE_ZH = {"macro": "宏站", "micro": "微站"}


@dataclass(frozen=True)
class Limit:
    """One limit in the words of the certificate.

    Attributes
    ----------
    name : str
        The same for the yearly limits of one quota, whichever year.
    zh : str
        The limit in words for planners.
    of, value : str
        Members: ``all``, ``free`` (with ``share``), or candidates whose column (``COLUMNS``) has the value.
    unit : str
        ``站址`` (each counts 1), ``基站`` (column ``stations``; of one ``operator`` its own one, so 1) or ``元``
        (``cost_yuan``).
    count : str
        ``new``: what is built in ``year``, or at all; ``on_air``: what stands at its end, ``already`` included.
    year : int or None
        None: the whole plan.
    least, most : float or None
    already : float
        What exists and counts too.
    share : float or None
        Of ``free``: least share of free venues among the chosen sites.
    free : bool
        Only sites that have to be free are members.
    """

    name: str
    zh: str
    of: str
    value: str = ""
    unit: str = "站址"
    count: str = "new"
    year: int | None = None
    least: float | None = None
    most: float | None = None
    already: float = 0.0
    share: float | None = None
    free: bool = False


def limits_of(params: SelectionParams, existing: pd.DataFrame | None = None) -> tuple[Limit, ...]:
    """Every limit of the settings: number of sites, budget, share of free venues, then the quotas in their order.

    Parameters
    ----------
    params : SelectionParams
    existing : DataFrame, optional
        Existing sites with the columns of :data:`COLUMNS` and ``stations``: what limits on what is on air count
        already. Money spent on them is not known and counts 0.

    Raises
    ------
    ModelError
        Existing sites lack a column that a quota of those on air looks at.

    Examples
    --------
    >>> asked = SelectionParams(max_sites=8, quotas=[
    ...     {"of": "county", "value": "溪西县", "year": 2026, "least": 5}, {"count": "on_air", "unit": "基站", "least": 40}])
    >>> old = pd.DataFrame({"stations": [3, 1]}, index=["E-1", "E-2"])
    >>> for limit in limits_of(asked, old):
    ...     print(limit.name, limit.zh, limit.already)
    max_sites 最多新建8处 0.0
    county=溪西县/sites/new/by_year 溪西县 2026年 新建站址 不少于 5 处 0.0
    all/stations/on_air 全部 在用基站(含现有4个) 不少于 40 个 4.0
    """
    limits = [Limit(MAX_SITES, f"最多新建{params.max_sites}处", "all", most=float(params.max_sites))]
    if params.budget_yuan is not None:
        limits.append(Limit(BUDGET, f"投资不多于 {number_zh(params.budget_yuan)} 元", "all", unit="元",
                            most=params.budget_yuan))
    if params.free_share_least is not None:
        limits.append(Limit(FREE_SHARE, f"免费开放场所占新建站址不少于 {100 * params.free_share_least:g}%", "free",
                            least=0.0, share=params.free_share_least))
    return (*limits, *quota_limits(params.quotas, existing))


def quota_limits(quotas: Iterable[QuotaParams], existing: pd.DataFrame | None = None) -> tuple[Limit, ...]:
    """The quotas as limits; see :func:`limits_of`."""
    limits, seen = [], Counter[tuple[str, int | None]]()
    for quota in quotas:
        member = "all" if quota.of == "all" else f"{quota.of}={quota.value}"
        member += "+free" if quota.free else ""
        name = f"{member}/{_UNIT_KEYS[quota.unit]}/{quota.count}{'' if quota.year is None else '/by_year'}"
        seen[name, quota.year] += 1
        number = seen[name, quota.year]
        limit = Limit(name if number == 1 else f"{name}#{number}", quota.zh, quota.of,
                      "" if quota.of == "all" else quota.value, quota.unit, quota.count, quota.year, quota.least,
                      quota.most, free=quota.free)
        if quota.count == "on_air" and existing is not None and len(existing) and quota.unit != "元":
            limit = replace(limit, already=float(amounts(existing, limit)[members(existing, limit)].sum()))
        limits.append(limit if limit.zh else replace(limit, zh=limit_zh(limit)))
    return tuple(limits)


def limit_zh(limit: Limit) -> str:
    """A limit in words.

    >>> limit_zh(Limit("", "", "kind", "macro", least=2.0, most=2.0))
    '宏站 新建站址 恰好 2 处'
    >>> limit_zh(Limit("", "", "county", "溪西县", least=5.0, free=True))
    '溪西县 免费开放 新建站址 不少于 5 处'
    """
    who = "全部" if limit.of == "all" else _VALUE_ZH.get(limit.value, limit.value)
    who = f"优先级{who}" if limit.of == "tier" and limit.value.isdigit() else who
    who = f"{who}提出需求的" if limit.of == "requested_by" else who
    who += " 免费开放" if limit.free else ""
    on_air, measure = limit.count == "on_air", _MEASURE_ZH[limit.unit]
    when = "" if limit.year is None else f" 到{limit.year}年底" if on_air else f" {limit.year}年"
    what = "投资" if limit.unit == "元" else f"{'在用' if on_air else '新建'}{limit.unit}"
    stands = f"(含现有{number_zh(limit.already)}{measure})" if on_air and limit.already else ""
    least, most = (None if side is None else number_zh(side) for side in (limit.least, limit.most))
    parts = [f"不少于 {least}" if least is not None else "", f"不多于 {most}" if most is not None else ""]
    bounds = f"恰好 {least}" if least is not None and least == most else "、".join(filter(None, parts))
    return f"{who}{when} {what}{stands} {bounds} {measure}"


def number_zh(value: float) -> str:
    """A number without needless decimals.

    >>> number_zh(2600.0), number_zh(0.5), number_zh(12345678.0)
    ('2600', '0.5', '12345678')
    """
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def members(sites: pd.DataFrame, limit: Limit) -> NDArray[np.bool_]:
    """Which sites a limit counts, shape (sites,).

    Parameters
    ----------
    sites : DataFrame
        With the column of :data:`COLUMNS` that the limit looks at.
    limit : Limit

    Raises
    ------
    ModelError
        The column is missing.

    Examples
    --------
    >>> members(pd.DataFrame({"networks": ["电信|联通", "移动"]}), Limit("", "", "operator", "联通")).tolist()
    [True, False]
    """
    free = column(sites, "must_be_free").astype(bool) if limit.free else np.ones(len(sites), dtype=bool)
    if limit.of in ("all", "free"):
        return free
    values = column(sites, COLUMNS[limit.of])
    if limit.of == "operator":
        served = [operators_served(str(text)) for text in values]
        return free & np.array([limit.value in names or EVERY in names for names in served], dtype=bool)
    if limit.of == "requested_by":
        return free & np.array([limit.value in str(text).split("|") for text in values], dtype=bool)
    return free & np.array([_as_word(value) == limit.value for value in values], dtype=bool)


def operators_served(networks: str) -> tuple[str, ...]:
    """Operators whose 5G a site carries, sorted: a shared network is that of each of them; ``*`` stays.

    Parameters
    ----------
    networks : str
        Joined by ``|``; those of existing sites end on their technology, and only 5G counts.

    Examples
    --------
    >>> operators_served("移动 4G|移动 5G|电信&联通 5G"), operators_served("广电 4G"), operators_served("移动|电信&联通")
    (('电信', '移动', '联通'), (), ('电信', '移动', '联通'))
    """
    named = [text.removesuffix(" 5G") for text in networks.split("|") if not text.endswith((" 2G", " 3G", " 4G"))]
    return tuple(sorted({name for text in named for name in text.split("&") if name}))


def _as_word(value: object) -> str:
    """A cell as a quota writes it: 4 and 4.0 are "4", no value is ""."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return "" if value is None or value is pd.NA or value != value else str(value).strip()


def words_in(sites: pd.DataFrame, of: str) -> list[str]:
    """Values that quotas of one kind may name in a table of sites, sorted; none where it has no such column."""
    if COLUMNS[of] not in sites:
        return []
    words = {_as_word(value) for value in sites[COLUMNS[of]].unique()}
    if of == "operator":
        words = {name for word in words for name in operators_served(word)} - {EVERY}
    if of == "requested_by":
        words = {part for word in words for part in word.split("|")}
    return sorted(words - {""})


def column(sites: pd.DataFrame, name: str) -> NDArray[Any]:
    """A column of a table of sites; ModelError where there is none."""
    if name not in sites:
        raise ModelError(f"a limit looks at the column {name}, which the table of sites does not have")
    return sites[name].to_numpy(dtype=object)


def amounts(sites: pd.DataFrame, limit: Limit) -> NDArray[np.float64]:
    """What each site counts under a limit if it is a member, shape (sites,); ModelError where the column is missing."""
    if limit.unit == "站址" or (limit.unit, limit.of) == ("基站", "operator"):
        each = np.ones(len(sites))
    else:
        each = column(sites, "stations" if limit.unit == "基站" else "cost_yuan").astype(np.float64)
    if limit.share is None:
        return each
    return (column(sites, "must_be_free").astype(bool) - limit.share) * each


def rows_of(limits: Iterable[Limit], candidates: pd.DataFrame, phases: PhaseParams | None = None,
            ) -> tuple[tuple[Row, ...], tuple[Stage, ...]]:
    """Limits as rows of the problem, and its stages with the rows of each year.

    Parameters
    ----------
    limits : iterable of Limit
    candidates : DataFrame
        One row for each candidate, in their order; the columns that the limits look at.
    phases : PhaseParams, optional
        Years of the plan; none: everything at once.

    Returns
    -------
    rows : tuple of Row
        Limits on the whole plan, in the order given.
    stages : tuple of Stage
        One for each year, the limits of the year in the order given. What coverage at the end of a year counts comes to
        1 over all years.

    Raises
    ------
    ModelError
        A limit names a year that no stage has, or a column that the candidates do not have.

    Examples
    --------
    >>> sites = pd.DataFrame({"county": ["溪西县", "溪东县"], "stations": [3, 2], "cost_yuan": [5.0, 9.0]})
    >>> asked = SelectionParams(quotas=[{"of": "county", "value": "溪西县", "year": 2026, "unit": "基站", "least": 2}])
    >>> rows, stages = rows_of(limits_of(asked), sites, PhaseParams(years=[2026, 2027]))
    >>> [row.name for row in rows], [(stage.year, stage.worth, len(stage.new)) for stage in stages]
    (['max_sites'], [(2026, 0.5, 1), (2027, 0.5, 0)])
    >>> stages[0].new[0].candidates.tolist(), stages[0].new[0].amounts.tolist()
    ([0], [3.0])
    """
    known = list(limits)
    years = [] if phases is None else phases.years
    astray = [limit.zh for limit in known if limit.year is not None and limit.year not in years]
    if astray:
        raise ModelError(f"limits of years that the plan does not have: {', '.join(astray)}")
    rows = [(limit, _row(limit, candidates)) for limit in known]
    stages = tuple(
        Stage(year, worth, tuple(row for limit, row in rows if limit.year == year and limit.count == "on_air"),
              tuple(row for limit, row in rows if limit.year == year and limit.count == "new"))
        for year, worth in zip(years, worths(phases), strict=True))
    return tuple(row for limit, row in rows if limit.year is None), stages


def worths(phases: PhaseParams | None) -> list[float]:
    """What coverage at the end of each year counts, 1 in all; the same for every year where nothing is said.

    >>> worths(PhaseParams(years=[2026, 2027], worth=[3, 1]))
    [0.75, 0.25]
    """
    if phases is None or not phases.years:
        return []
    given: Sequence[float] = phases.worth or [1.0] * len(phases.years)
    total = sum(given)
    if len(given) != len(phases.years) or not total > 0 or min(given) < 0:
        raise ModelError("phases.worth has one number >= 0 for each year, not all of them 0")
    return [value / total for value in given]


def _row(limit: Limit, candidates: pd.DataFrame) -> Row:
    numbers = np.flatnonzero(members(candidates, limit)).astype(np.int32)
    least = -np.inf if limit.least is None else limit.least
    most = np.inf if limit.most is None else limit.most
    return Row(limit.name, numbers, amounts(candidates, limit)[numbers], least, most, limit.already, limit.zh,
               limit.unit)


def limit_facts(limits: Iterable[Limit]) -> list[dict[str, Any]]:
    """The limits as the certificate lists them.

    >>> limit_facts([Limit("max_sites", "最多新建8处", "all", most=8.0)])[0]["most"]
    8.0
    """
    return [asdict(limit) for limit in limits]


def required_floor(weight: NDArray[np.float64], share: float) -> Floor:
    """The floor of the objective ``least_cost``: this share of the weighted demand of all cells.

    >>> floor = required_floor(np.array([3.0, 0.0, 1.0]), 0.5)
    >>> floor.least, floor.cells.tolist(), floor.zh
    (2.0, [0, 2], '覆盖空洞内加权需求不少于 50%')
    """
    cells = np.flatnonzero(weight > 0)
    return Floor("required_share", cells.astype(np.int64), np.asarray(weight[cells], dtype=np.float64),
                 share * float(weight.sum()), zh=f"覆盖空洞内加权需求不少于 {100 * share:g}%")

