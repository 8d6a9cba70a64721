"""Which sites decisions mean, and what follows for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from siteplan.crs import transform_points
from siteplan.decisions._read import LAYER, day_order
from siteplan.decisions._values import Decision, Decisions
from siteplan.input_ledger import InputLedger

_FRONT = ("facility", "ground")
"""Sources whose ids are meant first where several layers have the same id: decisions are mostly about venues."""
_MERGED = ("pole", "sharing", "station")
"""Sources whose ``members`` are ids of their own layer."""


def sites_meant(decisions: Decisions, sites: pd.DataFrame, ledger: InputLedger | None = None,
                others: Collection[str] = frozenset()) -> Mapping[str, tuple[str, ...]]:
    """Which sites each id of the decisions means.

    A whole site id means that site. An id of a source layer means all sites made from it (roof and ground of a venue);
    where several layers have the id, those of the venue if there is one, else those of the first layer by name, an
    operator's request last: told. A pole or a site number that was merged into another means the site it is part of.

    Parameters
    ----------
    decisions : Decisions
    sites : DataFrame
        Sites table with index ``site_id`` and columns ``source, source_id``, and ``members`` where ids were merged.
    ledger : InputLedger, optional
        Takes a line for ids that mean several things, or none.
    others : collection of str
        Ids that are known although no site carries them (venues without a candidate): not told as unknown.

    Returns
    -------
    mapping of str to tuple of str
        Id as written -> site ids, sorted; empty where there is none.
    """
    wanted = sorted({row.id for row in decisions.rows})
    bare = sites.loc[sites["source_id"].isin(wanted), ["source", "source_id"]]
    by_id: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for site_id, source, source_id in zip(bare.index, bare["source"], bare["source_id"], strict=True):
        by_id[source_id]["facility" if source in _FRONT else source].append(str(site_id))
    known = {text: text for text in sites.index[sites.index.isin(wanted)]}
    for source_id, source, site_id in _merged_ids(sites, set(wanted)):
        if source_id in wanted and source not in by_id[source_id]:
            by_id[source_id][source].append(site_id)
        whole = f"{site_id.partition(':')[0]}:{source_id}"
        if whole in wanted:
            known.setdefault(whole, site_id)
    meant: dict[str, tuple[str, ...]] = {}
    for text in wanted:
        found = by_id.get(text, {})
        if text in known or not found:
            meant[text] = (known[text],) if text in known else ()
        else:
            meant[text] = tuple(sorted(found[min(found, key=_rank)]))
        if ledger is not None:
            _tell_meaning(text, meant[text], found, text in known or text in others, decisions, ledger)
    return MappingProxyType(meant)


def _rank(source: str) -> tuple[int, str]:
    return 0 if source == "facility" else 2 if source == "demand" else 1, source


def _merged_ids(sites: pd.DataFrame, wanted: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Wanted ids that were merged into a site: the id in its layer, the site's source, the site."""
    if "members" not in sites:
        return
    rows = sites[(sites["source"].isin(_MERGED) & (sites["members"] != "")).to_numpy(dtype=bool)]
    bare = {*wanted, *(text.partition(":")[2] for text in wanted)}
    columns = [rows.index, *(rows[name] for name in ("source", "members", "source_id"))]
    for site_id, source, members, own in zip(*columns, strict=True):
        for member in members.split("|"):
            if member != own and member in bare:
                yield member, source, str(site_id)


def _tell_meaning(text: str, meant: tuple[str, ...], found: Mapping[str, Sequence[str]], known: bool,
                  decisions: Decisions, ledger: InputLedger) -> None:
    first = next(row for row in decisions.rows if row.id == text)
    if not meant and not known:
        ledger.add(LAYER, first.file, first.row, "id", text, "assumed", "没有这个编号的站址或设施，记录保留在台账，不影响选址",
                   "核对编号")
    elif len(found) > 1 and not known:
        several = "、".join(site_id for ids in found.values() for site_id in ids)
        ledger.add(LAYER, first.file, first.row, "id", text, "assumed", f"编号不止一个站址：{several}；按 {'、'.join(meant)}",
                   "写完整的站址编号")


def refusals(decisions: Decisions, sites: pd.DataFrame) -> Mapping[str, tuple[str, str]]:
    """Sites that a decision takes out: site id -> (code, Chinese sentence).

    Codes are ``banned`` (ban) and ``refused_by_owner`` (refused); a site with both is banned.
    """
    meant = sites_meant(decisions, sites)
    out: dict[str, tuple[str, str]] = {}
    for row in (*decisions.of("ban"), *decisions.of("refused")):
        if row.action == "ban":
            code, sentence = "banned", f"会议决定不用{row.origin}"
        else:
            code, sentence = "refused_by_owner", f"权属单位拒绝{row.origin}：{row.kind_zh}"
        why = f"{'，' if row.action == 'refused' else '：'}{row.why}" if row.why else ""
        for site_id in meant[row.id]:
            out.setdefault(site_id, (code, sentence + why))
    return MappingProxyType(out)


def kept_sites(decisions: Decisions, sites: pd.DataFrame) -> tuple[str, ...]:
    """Ids of the sites that a meeting keeps in the plan, sorted."""
    meant = sites_meant(decisions, sites)
    return tuple(sorted({site_id for row in decisions.of("keep") for site_id in meant[row.id]}))


def kept_groups(decisions: Decisions, sites: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Open candidates that a meeting keeps: of each group at least one has to be chosen.

    A row that means the roof and the land of one venue is fulfilled by either. Candidates that a rule refuses are not
    among them, and existing stations stand anyway. Of two rows that keep different alternatives of one venue the
    later one stands, because both cannot be built.

    Parameters
    ----------
    decisions : Decisions
    sites : DataFrame
        Sites table with ``source, source_id, status`` (and ``members``).

    Returns
    -------
    tuple of tuple of str
        Sorted, each group sorted, none holds another.

    Examples
    --------
    >>> sites = pd.DataFrame({"source": ["ground", "facility"], "source_id": "F1", "status": "candidate"},
    ...                      index=["G-ground:F1", "V-facility:F1"])
    >>> kept_groups(Decisions((Decision("F1", "keep"),)), sites)
    (('G-ground:F1', 'V-facility:F1'),)
    >>> kept_groups(Decisions((Decision("F1", "keep"), Decision("V-facility:F1", "keep"))), sites)
    (('V-facility:F1',),)
    """
    meant = sites_meant(decisions, sites)
    front = sites["source"].isin(_FRONT).to_numpy(dtype=bool)
    place = pd.Series(sites["source_id"].astype("str").where(front, sites.index.to_series().astype("str")),
                      index=sites.index)
    status = sites["status"]
    wanted: dict[frozenset[str], set[str]] = {}
    for row in sorted(decisions.of("keep"), key=day_order):
        free = {site_id for site_id in meant[row.id] if status[site_id] == "candidate"}
        if not free:
            continue
        key = frozenset(place[site_id] for site_id in free)
        wanted[key] = (wanted.get(key, free) & free) or free
    groups = {tuple(sorted(group)) for group in wanted.values()}
    return tuple(sorted(group for group in groups if not any(set(other) < set(group) for other in groups)))


def site_years(decisions: Decisions, sites: pd.DataFrame) -> Mapping[str, int]:
    """Year of construction by site id; of two rows that mean one site the later stands."""
    meant = sites_meant(decisions, sites)
    return MappingProxyType({site_id: row.year for row in sorted(decisions.of("year"), key=day_order)
                             for site_id in meant[row.id]})


@dataclass(frozen=True)
class Move:
    """Where a site is moved to: easting and northing in the study CRS, m, and the row that says so."""

    x: float
    y: float
    decision: Decision


def site_moves(decisions: Decisions, sites: pd.DataFrame, crs: Any) -> Mapping[str, Move]:
    """New places by site id, with the decision; of two rows that mean one site the later stands.

    Longitudes are those of WGS 84. A place that the study CRS does not reach has coordinates that are not finite.
    """
    meant = sites_meant(decisions, sites)
    out: dict[str, Move] = {}
    for row in sorted(decisions.of("move"), key=day_order):
        if row.place is None or not meant[row.id]:
            continue
        x, y = row.place
        if row.lonlat:
            east, north = transform_points(x, y, "EPSG:4326", crs)
            x, y = float(east), float(north)
        out.update(dict.fromkeys(meant[row.id], Move(x, y, row)))
    return MappingProxyType(out)


def moved_sites(decisions: Decisions, sites: pd.DataFrame, crs: Any) -> Mapping[str, tuple[float, float]]:
    """New places by site id: easting and northing in the study CRS ``crs``, m; longitudes are those of WGS 84."""
    return MappingProxyType({key: (move.x, move.y) for key, move in site_moves(decisions, sites, crs).items()})
