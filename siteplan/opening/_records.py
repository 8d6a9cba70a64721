"""Records of single events: fees asked, refusals, hard sites, each tied to its venue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.decisions import Decision, Decisions, fee_is_rent, words_of
from siteplan.opening._owners import reads_private
from siteplan.opening._words import filled, joined, words

PRIVATE = "权属似为民营，应否开放、免费须核实"
"""Doubt about a venue that must open by its class and whose owner reads private."""
_WITHHELD = ("secrecy", "safety")
"""Kinds of refusals that keep a venue off the public list, even where they no longer stand; the first counts."""
_TOLD = ("name", "class_zh", "owner", "department", "county", "town", "must_open", "must_be_free", "status",
         "status_zh", "site_ids", "agreed_on", "opened", "geometry")


def venues_of_decisions(decisions: Decisions, meant: Mapping[str, tuple[str, ...]], venue_of: Mapping[str, str],
                        facility_ids: frozenset[str]) -> dict[str, str]:
    """Id as written in the decisions -> venue id; empty where nothing has the id."""
    out = {}
    for text in sorted({row.id for row in decisions.rows}):
        sites = meant.get(text, ())
        bare = text.removeprefix("V-facility:")
        out[text] = venue_of[sites[0]] if sites else f"V-facility:{bare}" if bare in facility_ids else ""
    return out


def record_table(rows: tuple[Decision, ...], venue_of_id: Mapping[str, str], venues: gpd.GeoDataFrame) -> pd.DataFrame:
    """One row per decision with the facts of its venue; those without one keep their id as name.

    ``private``: the owner of a venue that must open reads private.
    """
    table = pd.DataFrame({
        "venue_id": [venue_of_id.get(row.id, "") for row in rows], "id": [row.id for row in rows],
        "kind": [row.kind for row in rows], "kind_zh": [row.kind_zh for row in rows],
        "amount_yuan": np.array([row.amount_yuan for row in rows], dtype="float64"),
        "who": [row.who for row in rows], "why": [row.why for row in rows], "stated": [row.value for row in rows],
        "date": ["" if row.date is None else row.date.isoformat() for row in rows],
        "overruled": np.array([row.overruled for row in rows], dtype=bool),
        "source_row": [" ".join(filter(None, (row.file, f"第{row.row}行" if row.row else ""))) for row in rows],
    }, index=pd.RangeIndex(len(rows)))
    texts = ("venue_id", "id", "kind", "kind_zh", "who", "why", "stated", "date", "source_row")
    table = table.astype(dict.fromkeys(texts, "str"))
    facts = pd.DataFrame(venues)[list(_TOLD)].reindex(table["venue_id"]).set_index(table.index)
    known = facts["name"].notna()
    for name in _TOLD[:-1]:
        if name in ("must_open", "must_be_free"):
            facts[name] = facts[name].where(known, False).astype(bool)
        else:
            facts[name] = facts[name].where(known, "").astype("str")
    facts["name"] = facts["name"].where(known, table["id"] + "（编号未匹配）")
    facts["department"] = facts["department"].where(known, words("department")["blank"])
    return table.join(facts).assign(known=known, private=table["venue_id"].isin(doubtful_owners(venues)))


def doubtful_owners(venues: pd.DataFrame) -> pd.Index:
    """Venues that must open by their class and whose owner reads private: a doubt, the duty stays."""
    private = [duty and reads_private(owner, kind) for duty, owner, kind in
               zip(venues["must_open"], venues["owner"], venues["venue_class"], strict=True)]
    return venues.index[np.array(private, dtype=bool)]


def fee_verdict(kind: str, *, known: bool, must_open: bool, must_be_free: bool, rent_banned: bool = False,
                private: bool = False) -> str:
    """First verdict on a fee: violation, check or negotiate.

    A venue that must open free of charge may not ask for anything. One that must open may not ask for entering,
    coordinating or sharing out (seed S2); rent of the place is banned by Ezhou for public venues, while Shandong's
    duty to be free does not name schools and hospitals: a violation where the profile of duties bans rent by name
    (``rent_banned``), else to be checked by the law of the province. What need not open (shops, offices, housing) opens
    on equal terms: no violation, the record is only filed. Water and power at cost, a deposit that is given back
    (``exempt`` in ``tables/decisions.toml``), and whatever a venue asks whose owner reads private are to be checked.

    >>> fee_verdict("rent", known=True, must_open=True, must_be_free=True)
    'violation'
    >>> fee_verdict("rent", known=True, must_open=True, must_be_free=False)
    'check'
    >>> fee_verdict("entry", known=True, must_open=False, must_be_free=False)
    'negotiate'
    """
    if not known:
        return "check"
    if (must_open or must_be_free) and (private or "exempt" in words_of("fees")[kind]):
        return "check"
    if must_be_free or (must_open and (rent_banned or not fee_is_rent(kind))):
        return "violation"
    return "check" if must_open else "negotiate"


def fee_table(records: pd.DataFrame, banned: Collection[str] = ()) -> pd.DataFrame:
    """Fees with a first verdict, its grounds, and who is told; sorted by verdict, department and day.

    ``banned``: names of fees that the profile of duties forbids.
    """
    verdicts, grounds, told, zh = [], [], [], []
    table, rent_banned = words("fee_verdicts"), any("租" in name for name in banned)
    for row in records.itertuples():
        verdict = fee_verdict(row.kind, known=row.known, must_open=row.must_open, must_be_free=row.must_be_free,
                              rent_banned=rent_banned, private=row.private)
        entry = table[verdict]
        why = entry["why_free"] if verdict == "violation" and row.must_be_free else entry["why"]
        verdicts.append(verdict)
        zh.append(entry["zh"])
        why = why.format(banned=f"本方案口径禁止：{'、'.join(banned)}" if banned else "各省口径以本省规定为准")
        if verdict == "check" and row.known and not row.private:
            why = words_of("fees")[row.kind].get("exempt", why)
        elif verdict == "check" and row.known:
            why = PRIVATE
        grounds.append(why if row.known else entry["why_unknown"])
        told.append(entry["tell"].format(department=row.department))
    out = records.assign(verdict=np.array(verdicts, dtype=object), verdict_zh=zh, ground=grounds, tell=told)
    rank = out["verdict"].map({name: number for number, name in enumerate(table)}).astype("float64")
    out = out.assign(rank=rank).sort_values(["rank", "department", "date", "id"], kind="stable").drop(columns="rank")
    out = out.rename(columns={"who": "payer", "why": "remark"}).rename(columns={"ground": "why"})
    return _numbered(out.astype(dict.fromkeys(("verdict", "verdict_zh", "why", "tell"), "str")))


def hard_table(records: pd.DataFrame, as_of: dt.date | None) -> pd.DataFrame:
    """Hard sites: cause, steps, responsible body (the venue's department where none is named), days since then.

    The days of a record of a day after ``as_of`` are not told.
    """
    named = records["who"] != ""
    days = np.array([float((as_of - dt.date.fromisoformat(day)).days) if as_of and day else np.nan
                     for day in records["date"]], dtype="float64")
    days[days < 0] = np.nan
    out = records.assign(cause=records["kind"], cause_zh=records["kind_zh"], steps=records["why"],
                         responsible=records["who"].where(named, records["department"]),
                         responsible_source=pd.Series("决定", index=records.index).where(named, "按主管部门"), days=days)
    return _numbered(out.sort_values(["department", "date", "id"], kind="stable"))


def refusal_table(records: pd.DataFrame, agreed_later: pd.Series) -> pd.DataFrame:
    """Refusals, each for the supervising department of the owner; those that no longer stand say why.

    ``must_open`` is empty where the id means no venue.
    """
    stands = pd.Series("有效", index=records.index, dtype="str")
    stands = stands.mask(agreed_later, "其后已签协议").mask(records["overruled"], "已被其后的决定取代")
    stands = stands.mask(~records["known"], "编号待核对")
    duty = records["must_open"].astype("object").where(records["known"], "")
    out = records.assign(must_open=duty, tell=records["department"], stands=stands == "有效", stands_zh=stands)
    return _numbered(out.sort_values(["department", "date", "id"], kind="stable"))


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=["known", "private"]).assign(number=range(1, len(table) + 1)).reset_index(drop=True)


def agreed_after(records: pd.DataFrame) -> pd.Series:
    """Records of venues whose agreement is of a later day."""
    return (records["agreed_on"] != "") & (records["date"] != "") & (records["agreed_on"] > records["date"])


def _fee_words(kind: str, yuan: float, verdict: str) -> str:
    return f"{kind}{'金额不明' if np.isnan(yuan) else f'{yuan:,.0f}元'}（{verdict}）"


def with_records(venues: gpd.GeoDataFrame, fees: pd.DataFrame, refused: pd.DataFrame, hard: pd.DataFrame
                 ) -> gpd.GeoDataFrame:
    """Venues with what the records say of them, and the state of their opening.

    A refusal or a hard site stands until a later agreement; a fee to be looked into is shown before an agreement.
    ``withheld``: secrecy or safety where any refusal, even one that no longer stands, is of that kind.
    """
    index = venues.index
    standing = refused[refused["stands"]].sort_values("date", kind="stable").drop_duplicates("venue_id", keep="last")
    standing = standing.set_index("venue_id").reindex(index)
    reason = joined(filled(standing["kind_zh"]), filled(standing["why"]), by="：")
    open_hard = hard[~hard["overruled"] & ~agreed_after(hard)]
    causes = open_hard.groupby("venue_id")["cause_zh"].agg(lambda column: "、".join(dict.fromkeys(column)))
    groups = fees.groupby("venue_id")
    told = zip(fees["kind_zh"], fees["amount_yuan"], fees["verdict_zh"], strict=True)
    said = pd.Series([_fee_words(*row) for row in told], index=fees.index, dtype="str")
    said = said.groupby(fees["venue_id"]).agg("；".join)
    wrong = set(fees.loc[fees["verdict"] != "negotiate", "venue_id"])
    is_refused = standing["number"].notna().to_numpy()
    agreed = ((venues["agreed_on"] != "") | (venues["opened"] != "")).to_numpy()
    state = np.select([is_refused, index.isin(causes.index), index.isin(sorted(wrong)), agreed,
                       (venues["status"] == "proposed").to_numpy()],
                      ["refused", "hard", "fee", "agreed", "asked"], "idle")
    withheld = pd.Series("", index=index, dtype="str")
    for kind in reversed(_WITHHELD):
        withheld = withheld.mask(index.isin(refused.loc[refused["kind"] == kind, "venue_id"]), kind)
    private = pd.Series("", index=index).mask(index.isin(doubtful_owners(venues)), PRIVATE)
    clash = pd.Series("", index=index).mask(is_refused & agreed, "已有协议或开放内容，又有拒绝记录")
    return venues.assign(
        state=pd.Series(state, index=index, dtype="str"),
        state_zh=pd.Series(state, index=index).map(words("state")).astype("str"), agreed=agreed,
        refused_on=filled(standing["date"]), refusal=reason,
        refusal_kind=filled(standing["kind"]), refused_by=filled(standing["who"]),
        fees=filled(said.reindex(index)),
        fee_count=groups.size().reindex(index).fillna(0).astype(int),
        fees_yuan=groups["amount_yuan"].sum().reindex(index),
        hard_cause=filled(causes.reindex(index)), withheld=withheld,
        doubt=joined(venues["doubt"], private, clash))
