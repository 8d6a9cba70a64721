"""What became of every row of the decisions table: one sentence each, and whether it was followed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from siteplan.decisions._read import day_order
from siteplan.decisions._sites import site_moves, site_years, sites_meant
from siteplan.decisions._values import Decision, Decisions

EFFECT_COLUMNS = ("file", "row", "id", "action", "value", "who", "date", "why", "site_ids", "effect", "followed")
"""Columns of :func:`decision_effects`."""
HIDDEN = "涉密单位(不列名)"
_SECRET = "secrecy"
_FAR = "moved_far"
"""Flag of a move over a great distance; how far that is, the site rules say."""
_SAME_PLACE_M = 0.05
_WHOLE_M = 10.0
_EXISTING, _OPEN, _PROPOSED, _REFUSED = "existing", "candidate", "proposed", "refused"
_CODES = {"ban": ("banned",), "refused": ("refused_by_owner", "banned")}
"""Rules of place that carry out a decision."""


class _Effect(NamedTuple):
    """A sentence, and whether the row was followed."""

    words: str
    followed: bool


@dataclass(frozen=True)
class _Asked:
    """What effects are told from."""

    decisions: Decisions
    sites: Any
    meant: Mapping[str, tuple[str, ...]]
    years: tuple[int, ...]
    known: Collection[str]
    moves: Mapping[str, Any]
    fixed: Mapping[str, int]

    def of(self, ids: Sequence[str], *states: str) -> list[str]:
        """Those of the sites that have one of these states, in the order of the choice."""
        status, rank = self.sites["status"], self.sites["rank_no"]
        found = [site_id for site_id in ids if status[site_id] in states]
        return sorted(found, key=lambda site_id: (int(rank[site_id]), site_id))


def decision_effects(decisions: Decisions, sites: pd.DataFrame, *, years: Sequence[int] = (),
                     known: Collection[str] = frozenset(), secret: Collection[str] = frozenset()) -> pd.DataFrame:
    """One row for every row of the decisions table: what it means, and what the plan made of it.

    Nothing is taken for followed because it was read: the plan itself is looked at.

    Parameters
    ----------
    decisions : Decisions
    sites : GeoDataFrame
        The sites table of the plan: ``source, source_id, members, status, rank_no, reason, refusal_code, demand_ids,
        moved_m, build_year`` and points in the study CRS; ``flags`` where the rules gave some.
    years : sequence of int
        Years of the plan's phases; empty where there are none.
    known : collection of str
        Ids that are known although no site carries them (venues without a candidate).
    secret : collection of str
        Ids of secret units in their layers: their rows tell nothing, nor do those of sites that the rule ``secrecy``
        refuses.

    Returns
    -------
    DataFrame
        Columns :data:`EFFECT_COLUMNS`, in the order of the table: ``action`` in Chinese, ``date`` as text, ``site_ids``
        joined by ``|``, ``effect`` a Chinese sentence, ``followed`` (bool).

    Examples
    --------
    >>> import geopandas as gpd
    >>> sites = gpd.GeoDataFrame({"source": "pole", "source_id": ["7"], "members": "", "status": "proposed",
    ...     "rank_no": 3, "reason": "", "refusal_code": "", "demand_ids": "", "moved_m": 0.0, "build_year": 0},
    ...     index=["P-pole:7"], geometry=gpd.points_from_xy([0.0], [0.0]), crs="EPSG:4547")
    >>> told = decision_effects(Decisions((Decision("7", "keep"), Decision("8", "ban", number=1))), sites)
    >>> told[["id", "effect", "followed"]].values.tolist()
    [['7', '已保留为必选，入选第3位', True], ['8', '没有这个编号的站址或设施', False]]
    """
    asked = _Asked(decisions, sites, sites_meant(Decisions(decisions.every), sites), tuple(years), known,
                   site_moves(decisions, sites, sites.crs), site_years(decisions, sites))
    cells = []
    for row in decisions.every:
        ids = asked.meant[row.id]
        if row.id in secret or row.id.partition(":")[2] in secret or any(
                _SECRET in sites["refusal_code"][site_id].split("|") for site_id in ids):
            hidden = _Effect("涉密单位，不作候选，决定的内容不列出", row.action in _CODES and not row.note)
            cells.append((row.file, row.row, HIDDEN, row.action_zh, "", "", "", "", "", *hidden))
            continue
        day = "" if row.date is None else row.date.isoformat()
        cells.append((row.file, row.row, row.id, row.action_zh, row.value, row.who, day, row.why, "|".join(ids),
                      *_effect(row, ids, asked)))
    table = pd.DataFrame(cells, columns=list(EFFECT_COLUMNS))
    return table.astype({name: "bool" if name == "followed" else "str" for name in EFFECT_COLUMNS})


def _effect(row: Decision, ids: Sequence[str], asked: _Asked) -> _Effect:
    if row.note:
        return _Effect(row.note, False)
    if not ids:
        return _nowhere(row, asked)
    return _TOLD[row.action](row, ids, asked)


def _nowhere(row: Decision, asked: _Asked) -> _Effect:
    """A row whose id no site has."""
    record = row.action in ("refused", "agreed", "fee", "hard")
    bare = row.id.partition(":")[2] or row.id
    if bare in asked.known:
        return _Effect("记入开放台账；该场所没有候选站址" if record else "该场所没有候选站址，未起作用", record)
    sites = asked.sites
    near = sites.index[[bare in cell.split("|") for cell in sites["demand_ids"]]] if "demand_ids" in sites else []
    if len(near):
        return _Effect(f"该需求已并入 {'、'.join(near)}，请改用站址编号", False)
    return _Effect("没有这个编号的站址或设施", False)


def _outcome(ids: Sequence[str], asked: _Asked) -> str:
    """What became of the sites: the best of them."""
    chosen = asked.of(ids, _PROPOSED)
    if chosen:
        return f"入选第{asked.sites['rank_no'][chosen[0]]}位"
    reason = asked.sites["reason"]
    waiting = asked.of(ids, _OPEN)
    if waiting:
        said = reason[waiting[0]].removeprefix("备选:")
        return f"未入选：{said}" if said else "未入选"
    shut = asked.of(ids, _REFUSED)
    return f"不可用：{reason[shut[0]]}" if shut else "现有站址"


def _keep(row: Decision, ids: Sequence[str], asked: _Asked) -> _Effect:
    if asked.of(ids, _PROPOSED):
        return _Effect(f"已保留为必选，{_outcome(ids, asked)}", True)
    if asked.of(ids, _OPEN):
        beside = _kept_beside(row, ids, asked)
        told = f"同一场所已保留 {beside}" if beside else _outcome(ids, asked)
        return _Effect(f"未能保留，{told}", False)
    if asked.of(ids, _REFUSED):
        return _Effect(f"未能保留，{_outcome(ids, asked)}；会议决定不取代场址规则", False)
    return _Effect("现有站址，已在网", True)


def _kept_beside(row: Decision, ids: Sequence[str], asked: _Asked) -> str:
    """The other alternative of the venue, where another row keeps it and it was chosen."""
    own = asked.sites["source_id"]
    venues = {own[site_id] for site_id in ids}
    others = [site_id for other in asked.decisions.of("keep") if other is not row
              for site_id in asked.of(asked.meant[other.id], _PROPOSED) if own[site_id] in venues]
    return others[0] if others else ""


def _shut(row: Decision, ids: Sequence[str], asked: _Asked) -> _Effect:
    """Bans of meetings, refusals of owners."""
    sites, record = asked.sites, "，记入拒绝台账" if row.action == "refused" else ""
    mine = asked.of(ids, _PROPOSED, _OPEN, _REFUSED)
    if not mine:
        return _Effect(f"现有站址，决定不涉及拆除，未执行{record}", False)
    done = [site_id for site_id in mine if set(_CODES[row.action]) & set(sites["refusal_code"][site_id].split("|"))]
    if len(done) < len(mine):
        return _Effect(f"{'、'.join(sorted(set(mine) - set(done)))} 没有排除：研究文件已停用或改动这条规则{record}", False)
    return _Effect(f"已排除{f' {len(done)} 处候选' if len(done) > 1 else ''}{record}", True)


def _agreed(row: Decision, ids: Sequence[str], asked: _Asked) -> _Effect:
    before = [old.row or str(old.number + 1) for old in asked.decisions.of("refused", overruled=True)
              if old.overruled and day_order(old) <= day_order(row) and set(asked.meant[old.id]) & set(ids)]
    withdrawn = f"已撤回第 {'、'.join(before)} 行的拒绝" if before else "已记入开放台账"
    return _Effect(f"{withdrawn}；{_outcome(ids, asked)}", True)


def _recorded(row: Decision, ids: Sequence[str], asked: _Asked) -> _Effect:
    """Fees and hard sites: kept in the opening ledger, the site takes part as any other."""
    amount = "" if row.amount_yuan != row.amount_yuan else f"{row.amount_yuan:.15g}元"
    where = f"收费记录（{row.kind_zh}{amount}）" if row.action == "fee" else f"疑难站址（{row.kind_zh}）"
    return _Effect(f"已记入{where}，不影响选址；{_outcome(ids, asked)}", True)


def _move(row: Decision, ids: Sequence[str], asked: _Asked) -> _Effect:
    mine = asked.of(ids, _PROPOSED, _OPEN, _REFUSED)
    if not mine:
        return _Effect("现有站址不移动，未执行", False)
    moved, points = [], asked.sites.geometry
    for site_id in mine:
        move = asked.moves.get(site_id)
        if move is not None and move.decision is row and _at(points[site_id], move):
            moved.append(site_id)
    if not moved:
        other = any(asked.moves[site_id].decision is not row for site_id in mine if site_id in asked.moves)
        why = "另有更晚的移动决定" if other else "站在现有塔上，或新位置不在研究坐标系内"
        return _Effect(f"未移动：{why}；{_outcome(mine, asked)}", False)
    best = moved[0]
    metres, move = float(asked.sites["moved_m"][best]), asked.moves[best]
    flags = asked.sites["flags"][best].split("|") if "flags" in asked.sites else []
    doubt = "，请核对坐标" if _FAR in flags else ""
    far = f"{metres:,.0f}" if metres >= _WHOLE_M else f"{metres:g}"
    return _Effect(f"已移至 东坐标 {move.x:,.1f}、北坐标 {move.y:,.1f}，移动 {far} 米{doubt}；{_outcome(mine, asked)}",
                   len(moved) == len(mine))


def _at(point: Any, move: Any) -> bool:
    return abs(point.x - move.x) <= _SAME_PLACE_M and abs(point.y - move.y) <= _SAME_PLACE_M


def _year(row: Decision, ids: Sequence[str], asked: _Asked) -> _Effect:
    mine = asked.of(ids, _PROPOSED, _OPEN, _REFUSED)
    if not mine:
        return _Effect("现有站址，建设年度不起作用", False)
    chosen = asked.of(ids, _PROPOSED)
    if asked.years and row.year not in asked.years:
        span = "、".join(map(str, sorted(asked.years)))
        return _Effect(f"{row.year} 年不在规划年度（{span}）内，没有据此安排；{_outcome(ids, asked)}", False)
    if not chosen:
        return _Effect(f"建设年度 {row.year} 未起作用，{_outcome(ids, asked)}", False)
    built = int(asked.sites["build_year"][chosen[0]])
    if built != row.year:
        why = "另有更晚的年度决定，" if asked.fixed.get(chosen[0]) != row.year else ""
        return _Effect(f"{why}建设年度为 {built or '未定'}，没有按 {row.year}；{_outcome(ids, asked)}", False)
    phases = "" if asked.years else "（本方案不分年度，只作记载）"
    return _Effect(f"建设年度定为 {row.year}{phases}；{_outcome(ids, asked)}", True)


_TOLD: Mapping[str, Callable[[Decision, Sequence[str], _Asked], _Effect]] = {
    "keep": _keep, "ban": _shut, "refused": _shut, "agreed": _agreed, "fee": _recorded, "hard": _recorded,
    "move": _move, "year": _year}
