"""What is asked of each owner of works, and by when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

UNKNOWN_OWNER = "业主单位不明"
OWNER_COLUMNS = ("works_owner", "work_id", "work_no", "work_name", "kind_zh", "window", "join", "file_by", "sites",
                 "site_names", "links", "shared_m", "years", "saving_yuan", "asked")


def owner_table(matches: pd.DataFrame, *, all_works: bool = False) -> pd.DataFrame:
    """What is asked of each owner: one row for each works, in order of the owners, what is due first at the top.

    Parameters
    ----------
    matches : DataFrame
        Of :func:`~siteplan.register.works.match_works`.
    all_works : bool
        Every works that a site lies at; else the best of each site alone, so that no two owners are asked for one site.

    Returns
    -------
    DataFrame
        ``works_owner`` (业主单位不明 where the list does not say), ``work_id, work_no, work_name, kind_zh, window,
        join, file_by`` (latest day of the request), ``sites`` (number), ``site_names`` (joined by 、), ``links``,
        ``shared_m``, ``years`` (joined by 、), ``saving_yuan`` (estimate), ``asked`` (a Chinese sentence). Works that
        can no longer be joined are not asked for anything; they stay in ``matches``.
    """
    asked = matches[matches["join"] != "too_late"]
    asked = asked if all_works else asked[asked["is_best"]]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in asked.to_dict("records"):
        groups.setdefault(row["work_id"], []).append(row)
    rows = [_row(group) for _, group in sorted(groups.items())]
    out = pd.DataFrame(rows, columns=list(OWNER_COLUMNS)).astype({
        "file_by": "datetime64[us]", "shared_m": "float64", "saving_yuan": "float64", "sites": "int64",
        "links": "int64", **dict.fromkeys([name for name in OWNER_COLUMNS if name not in (
            "file_by", "shared_m", "saving_yuan", "sites", "links")], "str")})
    unknown = (out["works_owner"] == UNKNOWN_OWNER).to_numpy()
    return out.assign(last=unknown).sort_values(["last", "works_owner", "file_by", "work_id"], kind="stable").drop(
        columns="last").reset_index(drop=True)


def owner_lists(matches: pd.DataFrame, *, all_works: bool = False) -> dict[str, pd.DataFrame]:
    """The rows of `owner_table` by owner, in its order; parameters as there."""
    table = owner_table(matches, all_works=all_works)
    return {str(owner): rows.reset_index(drop=True) for owner, rows in table.groupby("works_owner", sort=False)}


def _row(group: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """One works with all that is asked of its owner."""
    first = group[0]
    names = dict(sorted((row["site_id"], row["site_name"]) for row in group))
    beside = [row["site_name"] for row in group if row["what"] == "site"]
    along = [row["shared_m"] for row in group if row["what"] == "link"]
    years = sorted({int(row["suggested_year"]) for row in group if not pd.isna(row["suggested_year"])})
    shared = round(float(sum(along)), 3)
    by = "时间待定,请告知开工、完工日期" if pd.isna(first["file_by"]) else f"请于{first['file_by']:%Y-%m-%d}前(含当日)答复"
    needs = [f"为{len(beside)}处站址({_names(beside)})同步预留"] * bool(beside) + [
        f"容纳{len(along)}段光缆接入({shared:.0f}米)共沟敷设"] * bool(along)
    return {
        "works_owner": first["works_owner"] or UNKNOWN_OWNER, **{name: first[name] for name in (
            "work_id", "work_no", "work_name", "kind_zh", "window", "join", "file_by")},
        "sites": len(names), "site_names": "、".join(names.values()), "links": len(along), "shared_m": shared,
        "years": "、".join(map(str, years)), "saving_yuan": round(float(sum(row["saving_yuan"] for row in group)), 2),
        "asked": f"{';'.join(needs)};{by}"}


def _names(names: Sequence[str]) -> str:
    """Some names in words, the first five.

    >>> _names(["甲", "乙"])
    '甲、乙'
    """
    return "、".join(names[:5]) + (f"等{len(names)}处" if len(names) > 5 else "")


