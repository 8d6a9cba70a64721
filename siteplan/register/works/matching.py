"""Sites and links that can be built together with works: when, and at what saving."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.errors import ModelError, Problem
from siteplan.register.dictionary import word_of
from siteplan.register.works.pairs import Pairs, links_along, placed, sites_beside
from siteplan.register.works.rates import JointWorks, load_joint_works
from siteplan.register.works.savings import saving_parts, saving_words
from siteplan.register.works.windows import Window, open_works, window_columns, window_words

DONE = ("on_air", "withdrawn")
"""States of sites that need no joint work any more."""
COLUMNS = (
    "work_id", "work_no", "work_name", "works_owner", "kind", "kind_zh", "site_id", "site_name", "link_id", "what",
    "distance_m", "shared_m", "window_start", "window_end", "window", "join", "file_by", "phase_year", "suggested_year",
    "year_move", "saving_yuan", "is_best", "decided", "reason")
MOVE_ZH = {"same": "年度不变", "earlier": "建议提前到{}年", "later": "建议推迟到{}年", "set": "建议列入{}年", "": ""}


def match_works(sites: gpd.GeoDataFrame, links: gpd.GeoDataFrame | None, works: gpd.GeoDataFrame, as_of: dt.date,
                settings: JointWorks | None = None, *, decided: pd.DataFrame | None = None) -> pd.DataFrame:
    """Match sites and fibre links with works in whose corridor they lie.

    Parameters
    ----------
    sites, links, works : GeoDataFrame
        Tables of a register, in one projected CRS. Sites that are on air or withdrawn and links that are no longer
        current are left out, as are works that are no longer current or ended before ``as_of`` (works that end on
        that day still count). Rows without a geometry cannot be matched; `unplaced` names them.
    as_of : date
        The earliest day of a request.
    settings : JointWorks, optional
        Corridors, lead times, rates; those of the package when absent.
    decided : DataFrame, optional
        The table ``joint_matches`` of the register: what was declined is not suggested again.

    Returns
    -------
    DataFrame
        One row for each works and site (``what`` site) and for each works and link (``what`` link), in order of the
        sites, the best works first: ``work_id, work_no, work_name, works_owner, kind, kind_zh, site_id, site_name,
        link_id, what, distance_m, shared_m`` (length of the link in the corridor, 0 for sites), ``window_start,
        window_end`` (NaT = not given), ``window`` (words), ``join`` (in_time | late | too_late | unknown), ``file_by``
        (latest day of a request), ``phase_year, suggested_year`` (NaN = too late or not known), ``year_move`` (same |
        earlier | later | set | empty), ``saving_yuan`` (an estimate; 0 when too late), ``is_best`` (of several works
        of a site the one with the greatest saving of site and links together, then the nearest; what was accepted goes
        before all), ``decided`` (suggested | accepted | empty), ``reason``.

    Raises
    ------
    ModelError
        The tables are not in one CRS.

    Notes
    -----
    The year of the plan is kept where the works allow it; else the year that their window suggests. Sites under
    construction keep their year. Unknown windows are matched and told (时间待定), without a year.

    Examples
    --------
    >>> import datetime as dt
    >>> import shapely
    >>> sites = gpd.GeoDataFrame({"name": ["甲"], "state": ["reserve"], "mount": ["pole"], "phase_year": [2027.0]},
    ...                          index=["ZZ000001"], geometry=[shapely.Point(50, 8)], crs="EPSG:4547")
    >>> works = gpd.GeoDataFrame({"name": ["滨河路改造"], "kind": ["road"], "start_on": ["2026-09-01"],
    ...                           "end_on": ["2026-12-31"]}, index=["GC000001"],
    ...                          geometry=[shapely.LineString([(0, 0), (400, 0)])], crs="EPSG:4547")
    >>> row = match_works(sites, None, works, dt.date(2026, 5, 1)).iloc[0]
    >>> row["distance_m"], row["suggested_year"], row["year_move"], row["saving_yuan"]
    (np.float64(8.0), np.float64(2026.0), 'earlier', np.float64(10000.0))
    """
    rules = settings or load_joint_works()
    _one_crs([table for table in (sites, links, works) if table is not None])
    windows = open_works(works, as_of, rules)
    there = works.loc[list(windows)]
    there = there[placed(there)]
    live = waiting_sites(sites)
    own = current_links(links, live)
    live = live[placed(live)]
    parts = [_rows(sites_beside(live, there, rules), live.index, None, there.index)] if len(live) and len(there) else []
    if len(own) and len(there):
        parts.append(_rows(links_along(own, there, rules), own["site_id"], own.index, there.index))
    table = pd.concat(parts, ignore_index=True) if parts else _rows(_nothing(), there.index, None, there.index)
    table, settled = _undecided(table, decided)
    return _told(table, sites.loc[table["site_id"]], there.loc[table["work_id"]], windows, rules, settled)


def waiting_sites(sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Sites that are neither on air nor withdrawn, in order of their ids."""
    return sites[~sites["state"].isin(DONE)].sort_index()


def current_links(links: gpd.GeoDataFrame | None, sites: pd.DataFrame) -> gpd.GeoDataFrame:
    """Current links with a geometry of some sites, in order of their ids."""
    if links is None:
        return gpd.GeoDataFrame({"site_id": pd.Series(dtype="str")}, geometry=[])
    live = links["is_current"].fillna(True).astype(bool) if "is_current" in links else np.full(len(links), True)
    there = sites.index.unique().get_indexer(pd.Index(links["site_id"])) >= 0
    return links[live & there & placed(links)].sort_index()


def unplaced(sites: gpd.GeoDataFrame, links: gpd.GeoDataFrame | None, works: gpd.GeoDataFrame, as_of: dt.date,
             settings: JointWorks | None = None) -> tuple[Problem, ...]:
    """Rows that could not be matched: no geometry, links of no site, works of no known kind; a problem each."""
    rules, found = settings or load_joint_works(), list[Problem]()
    live, windows = waiting_sites(sites), open_works(works, as_of, rules)
    for name, table in (("sites", live), ("works", works.loc[list(windows)])):
        found += [Problem(name, "", str(key), "geometry", "没有位置,不能与工程匹配", "补充位置")
                  for key in table.index[~placed(table)]]
    current = works[works["is_current"].fillna(True).astype(bool)] if "is_current" in works else works
    found += [Problem("works", "", str(key), "kind", "工程类型不明,不能匹配", "补填工程类型")
              for key in current.index[~current["kind"].isin(list(rules.kinds))]]
    if links is not None:
        held = links[links["is_current"].fillna(True).astype(bool)] if "is_current" in links else links
        found += [Problem("links", "", str(key), "geometry", "没有线位,不能与工程匹配", "补充线位")
                  for key in held.index[~placed(held) & held["site_id"].isin(live.index)]]
        found += [Problem("links", "", str(key), "site_id", "所接站址不在储备库", "核对站址编号")
                  for key in held.index[~held["site_id"].isin(sites.index)]]
    return tuple(found)


def _one_crs(tables: Iterable[gpd.GeoDataFrame]) -> None:
    known = {str(table.crs) for table in tables}
    if len(known) > 1:
        raise ModelError(f"sites, links and works are in {', '.join(sorted(known))}")


def _nothing() -> Pairs:
    return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def _rows(pairs: Pairs, site_ids: Any, link_ids: pd.Index | None, work_ids: pd.Index) -> pd.DataFrame:
    sites = np.asarray(site_ids, dtype=object)[pairs.row]
    links = np.asarray(link_ids, dtype=object)[pairs.row] if link_ids is not None else np.full(len(sites), "", object)
    return pd.DataFrame({
        "work_id": pd.array(np.asarray(work_ids, dtype=object)[pairs.work], dtype="str"),
        "site_id": pd.array(sites, dtype="str"), "link_id": pd.array(links, dtype="str"),
        "what": pd.array(["site" if link_ids is None else "link"] * len(sites), dtype="str"),
        "distance_m": pairs.distance_m, "shared_m": pairs.shared_m})


def _undecided(table: pd.DataFrame, decided: pd.DataFrame | None) -> tuple[pd.DataFrame, dict[tuple[str, str], str]]:
    """The table without what was declined, and what else is known of its pairs."""
    if decided is None or not len(decided):
        return table, {}
    known = {(str(work), str(site)): str(state) for work, site, state
             in zip(decided["work_id"], decided["site_id"], decided["state"], strict=True)}
    kept = [known.get(pair) != "declined" for pair in zip(table["work_id"], table["site_id"], strict=True)]
    return table[np.array(kept, dtype=bool)], known


def _told(table: pd.DataFrame, sites: pd.DataFrame, works: pd.DataFrame, windows: Mapping[str, Window],
          rules: JointWorks, settled: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """The matches with everything that is said of them; ``sites`` and ``works`` row by row."""
    seen = [windows[work] for work in table["work_id"]]
    fixed = (sites["state"] == "building").to_numpy()
    years = _numbers(sites, "phase_year")
    chosen, moves = _years(seen, years, fixed)
    out = table.assign(
        work_no=_texts(works, "work_no"), work_name=_texts(works, "name"), works_owner=_texts(works, "works_owner"),
        kind=_texts(works, "kind"), kind_zh=[word_of("works", "kind", kind) for kind in works["kind"]],
        site_name=_texts(sites, "name"), **window_columns(seen),
        window=[window_words(window.start, window.end) for window in seen], join=[window.join for window in seen],
        phase_year=years, suggested_year=chosen, year_move=moves,
        decided=[settled.get(pair, "") for pair in zip(table["work_id"], table["site_id"], strict=True)])
    parts = saving_parts(out, sites.set_index(out.index), rules)
    parts = parts.where(out["join"].ne("too_late"), 0.0)
    out = out.assign(saving_yuan=parts.sum(axis=1).round(2))
    chosen_by_register = (_texts(sites, "joint_work").to_numpy(object) == out["work_id"].to_numpy(object))
    out["is_best"], order = _best(out, chosen_by_register | (out["decided"] == "accepted").to_numpy())
    out["reason"] = _reasons(out, parts, seen, fixed, rules)
    text = [name for name in COLUMNS if name in (
        "work_no", "work_name", "works_owner", "kind", "kind_zh", "site_name", "window", "join", "year_move", "decided",
        "reason")]
    return out.iloc[order][list(COLUMNS)].astype(dict.fromkeys(text, "str")).reset_index(drop=True)


def _years(windows: list[Window], years: np.ndarray, fixed: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Suggested year and how the plan's year must move, match by match."""
    chosen: list[int | None] = []
    moves: list[str] = []
    for window, year, stays in zip(windows, years.tolist(), fixed.tolist(), strict=True):
        planned = None if year != year else int(year)
        best = window.usual_year
        inside = planned is not None and best is not None and (window.first_year or 0) <= planned <= (
            window.last_year or 0)
        if inside:
            best = planned
        elif stays:
            best = None
        chosen.append(best)
        moves.append("" if best is None else "set" if planned is None else "same" if best == planned
                     else "earlier" if best < planned else "later")
    return np.array([np.nan if year is None else year for year in chosen], dtype=np.float64), moves


def _best(table: pd.DataFrame, accepted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the best works of each site, and the order of all rows."""
    sums = table.assign(accepted=accepted, possible=table["join"] != "too_late").groupby(
        ["site_id", "work_id"], sort=True).agg(accepted=("accepted", "max"), possible=("possible", "max"),
                                               saving=("saving_yuan", "sum"), away=("distance_m", "min")).reset_index()
    ranked = sums.sort_values(["site_id", "accepted", "saving", "away", "work_id"],
                              ascending=[True, False, False, True, True], kind="stable")
    ranked["place"] = ranked.groupby("site_id").cumcount()
    at = table[["site_id", "work_id"]].merge(ranked, how="left", on=["site_id", "work_id"])
    order = pd.DataFrame({"site": table["site_id"].to_numpy(object), "place": at["place"].to_numpy(),
                          "what": (table["what"] != "site").to_numpy(), "link": table["link_id"].to_numpy(object)})
    best = (at["place"] == 0).to_numpy() & at["possible"].fillna(False).to_numpy(bool)
    return best, order.sort_values(["site", "place", "what", "link"], kind="stable").index.to_numpy()


def _reasons(table: pd.DataFrame, parts: pd.DataFrame, windows: list[Window], fixed: np.ndarray, rules: JointWorks,
             ) -> list[str]:
    """Why, when and at what saving, as a sentence for each match."""
    out = []
    columns = zip(table["what"], table["kind"], table["kind_zh"], table["work_name"], table["distance_m"],
                  table["shared_m"], table["suggested_year"], table["year_move"], windows, fixed.tolist(),
                  parts.to_dict("records"), strict=True)
    for what, kind, kind_zh, name, away, shared, year, move, window, stays, saved in columns:
        rule = rules.kinds[kind]
        where = (f"距{kind_zh}“{name}”{away:.0f}米(走廊{rule.site_corridor_m:g}米)" if what == "site" else
                 f"光缆接入段有{shared:.0f}米在{kind_zh}“{name}”走廊内({rule.link_corridor_m:g}米)")
        told = [where, f"窗口{window_words(window.start, window.end)}"]
        if window.note and window.note not in told[-1]:
            told.append(window.note)
        told += _when(window, rule.lead_months, stays, MOVE_ZH[move].format(f"{year:.0f}"))
        told.append("不计节省" if window.join == "too_late" else saving_words(saved))
        out.append(";".join(told))
    return out


def _when(window: Window, lead_months: int, stays: bool, move: str) -> list[str]:
    """What has to be done by when, and to which year."""
    if window.join == "too_late":
        late = "工程已开始,不能再加入" if window.file_by is None else f"最迟应在{window.file_by}提出(提前{lead_months}个月),已来不及"
        return [late]
    asked = [f"最迟{window.file_by}提出" + ("(工程开工后加入)" if window.join == "late" else "")] if window.file_by else []
    if not move and stays and window.join != "unknown":
        return [*asked, "站址已在建,年度不再调整,与窗口不合"]
    return [*asked, *([move] if move else [])]


def _texts(table: pd.DataFrame, name: str) -> Any:
    """A column of text as an array, empty where missing."""
    if name not in table:
        return pd.array([""] * len(table), dtype="str")
    values = table[name].astype("object")
    return pd.array(values.where(values.notna(), "").to_numpy(object), dtype="str")


def _numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    if name not in table:
        return np.full(len(table), np.nan)
    return np.asarray(table[name].to_numpy(np.float64, na_value=np.nan), dtype=np.float64)


