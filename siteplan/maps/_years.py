"""What the page says of the years of building: how many sites each has, and what the slider does not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siteplan.maps._shapes import Json
from siteplan.maps._texts import is_missing
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan


def years_told(plan: Plan, years: list[int], say: Say = CHINESE) -> Json:
    """Years with the number of proposed sites of each.

    Parameters
    ----------
    plan : Plan
    years : list of int
        Years of the slider, from :func:`~siteplan.maps._facts.phases_of`.
    say : Say

    Returns
    -------
    dict
        ``years, counts`` (sites built in each year), ``notes`` (of each year; a sentence where no site is built in it)
        and ``note``: that only the sites follow the slider.
    """
    built = [] if "build_year" not in plan.proposed else [
        int(year) for year in plan.proposed["build_year"].tolist() if not is_missing(year)]
    counts = [built.count(year) for year in years]
    empty = say("该年没有站址(分期没有限额时全部尽早建设)")
    return {"years": years, "counts": counts, "notes": ["" if count else empty for count in counts],
            "note": say("滑块只改变显示的站址(到该年底建成的);覆盖图、达标结果和指标始终是全部规划站址建成后的") if years else ""}
