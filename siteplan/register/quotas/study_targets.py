"""Targets of a study as quotas of the register."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from siteplan.errors import Problem, RegisterError
from siteplan.gaps.progress.targets import Target

_MEASURES = {"site_quota": "new", "site_total": "total"}


def quotas_of_targets(targets: Iterable[Target], city: str) -> list[dict[str, Any]]:
    """Rows of the table ``quotas`` for the targets of a study that ask for numbers of sites or stations.

    Rates and full coverage are judged by the study and are no quotas; they have no row.

    Parameters
    ----------
    targets : iterable of Target
    city : str
        The area of targets of the whole city.

    Returns
    -------
    list of dict

    Raises
    ------
    RegisterError
        A target asks for each county or town without naming one: as quotas these need a row each.

    Examples
    --------
    >>> from siteplan.gaps.progress.targets import load_targets
    >>> [row] = quotas_of_targets([load_targets()["new_stations_2022"], load_targets()["villages_70_2024"]], "六盘水市")
    >>> row["measure"], row["value"], row["unit"], str(row["since"]), row["area"]
    ('new', 2600, '基站', '2022-01-01', '六盘水市')
    """
    rows, problems = [], []
    for target in targets:
        if target.measure not in _MEASURES:
            continue
        if target.level != "city" and target.area == "*":
            problems.append(Problem("targets", "", target.id, "area", "“*”指每个区域,指标任务须每个区域一行",
                                    "写明区域,或在储备库中分解市级指标"))
            continue
        rows.append({
            "title": target.zh or target.sentence(), "level": target.level,
            "area": city if target.level == "city" else target.area, "measure": _MEASURES[target.measure],
            "unit": target.unit, "value": target.wanted(0),
            "since": target.since if target.measure == "site_total" else target.first_day, "by": target.by,
            "source": target.source, "is_current": True})
    if problems:
        raise RegisterError("研究中的目标不能作为指标任务:", problems)
    return rows
