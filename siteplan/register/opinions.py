"""Decisions, refusals and fee complaints: kept by the register alone once there is one, read as the layer decisions."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from siteplan.decisions import Decision, Decisions, parse_amount, read_decisions
from siteplan.decisions._values import kind_of
from siteplan.input_ledger import InputLedger
from siteplan.register.dictionary import word_of
from siteplan.register.store import DAY, Register, Transaction, add_rows, edit_rows, read_rows
from siteplan.register.store.opening import reading

OPINION_COLUMNS = ("id", "action", "value", "who", "date", "why", "source_file", "source_row")
"""Columns of the layer ``decisions``."""
LAYER = "decisions"
TABLES = ("decisions", "fees", "sites", "venues")
"""Tables of the register that opinions are read from."""
ACTIONS = ("keep", "ban", "move", "year", "refused", "agreed", "hard")
"""What a row of the table ``decisions`` may say of a site; ``task`` is a task of somebody's."""
_FULL_ID = re.compile(r"([A-Z])-[a-z]+:(.+)")
_OF_VENUES = ("V", "G")
"""First letters of the ids of sites on a venue: its roof, its land."""


def opinion_rows(register: Register, as_of: dt.date | None = None, *, connection: Connection | None = None,
                 ) -> pd.DataFrame:
    """What meetings and owners said, as rows of the layer ``decisions``.

    Parameters
    ----------
    register : Register
    as_of : date, optional
        What was said up to that day and had not been withdrawn by then; all that stands when absent.
    connection : Connection, optional
        Of :func:`~siteplan.register.reading`, for one state of several tables.

    Returns
    -------
    DataFrame
        Index ``decision_id`` (ids of the register), columns :data:`OPINION_COLUMNS`; texts empty where there is none,
        ``date`` datetime64. Decisions first, then fees, each in the order of entering. An id of the register becomes
        that of the site or venue in the plan, a former id the present one.
    """
    if connection is None:
        with reading(register) as own:
            return opinion_rows(register, as_of, connection=own)
    tables = {name: read_rows(register, name, as_of, connection=connection) for name in TABLES}
    return opinions_of(tables, as_of, register.shown)


def opinions_of(tables: Mapping[str, pd.DataFrame], as_of: dt.date | None = None, file: str = "") -> pd.DataFrame:
    """As :func:`opinion_rows`, of tables of the register that were read already.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Those of :data:`TABLES`, as they stood on the day.
    as_of : date, optional
    file : str
        ``source_file`` of the rows.
    """
    decisions, fees, sites, venues = (tables[name] for name in TABLES)
    decisions = decisions[decisions["action"].isin(ACTIONS) & ~_gone(decisions["withdrawn_on"], as_of)]
    names = _names(sites, venues)
    parts = [_rows(decisions, as_of, names, value=_text(decisions, "value"), who=_text(decisions, "who")),
             _rows(fees, as_of, names, value=_fee_values(fees), who=_text(fees, "payer"))]
    out = pd.concat(parts)
    out.index = pd.Index(out.index.astype("str"), name="decision_id")
    return out.assign(source_file=pd.Series(file, index=out.index, dtype="str"))[list(OPINION_COLUMNS)]


def _gone(days: pd.Series, as_of: dt.date | None) -> pd.Series:
    """Withdrawn by the day; by any day where none is given."""
    return days.notna() if as_of is None else days <= pd.Timestamp(as_of)


def _text(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name].fillna("").astype("str")


def _rows(table: pd.DataFrame, as_of: dt.date | None, names: _Names, **columns: pd.Series) -> pd.DataFrame:
    """Rows of one table of the register that are dated up to a day."""
    site_ids = _text(table, "site_id") if "site_id" in table else pd.Series("", index=table.index, dtype="str")
    ids = [names.shown(*cells) for cells in zip(_text(table, "ref"), site_ids, _text(table, "venue_id"), strict=True)]
    action = _text(table, "action") if "action" in table else pd.Series("fee", index=table.index, dtype="str")
    out = pd.DataFrame({"id": pd.Series(ids, index=table.index, dtype="str"), "action": action, **columns,
                        "date": table["day"], "why": _text(table, "why"),
                        "source_row": pd.Series(table.index.astype("str"), index=table.index, dtype="str")})
    return out if as_of is None else out[~(out["date"] > pd.Timestamp(as_of))]


def _fee_values(fees: pd.DataFrame) -> pd.Series:
    """Kind and amount as a decisions table says them: as stated, where that still means the same."""
    values = []
    for kind, amount, stated, why in zip(_text(fees, "kind"), fees["amount_yuan"], _text(fees, "stated"),
                                         _text(fees, "why"), strict=True):
        same = _same(parse_amount(stated, why)[0], amount) and _fee_kind(stated, why) == kind
        values.append(stated if stated and same else fee_words(kind, amount))
    return pd.Series(values, index=fees.index, dtype="str")


def fee_words(kind: str, amount_yuan: float) -> str:
    """A fee as a decisions table says it.

    >>> fee_words("entry", 12000.0), fee_words("rent", float("nan"))
    ('进场费 12000元', '场地租赁费')
    """
    zh = word_of("fees", "kind", kind)
    return zh if amount_yuan != amount_yuan else f"{zh} {amount_yuan:.15g}元"


def _fee_kind(value: str, why: str) -> str:
    return kind_of("fees", value, why) or "other"


def _same(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)


def bare_id(text: str) -> str:
    """An id in the layer that a site comes from.

    >>> bare_id("V-facility:F0012"), bare_id("F0012")
    ('F0012', 'F0012')
    """
    found = _FULL_ID.fullmatch(text)
    return found[2] if found else text


@dataclass(frozen=True)
class _Names:
    """Ids of the register and of plans.

    ``sites`` and ``former``: id in a plan, or one it had once -> id in the register; ``spots``: id of a venue in its
    layer -> sites on it; ``venues``: id of a venue in its layer -> id in the register; ``planned``: id in the register
    -> id in the plan, of sites and of venues; ``venue_ids``: those of venues.
    """

    sites: Mapping[str, str]
    former: Mapping[str, str]
    spots: Mapping[str, tuple[str, ...]]
    venues: Mapping[str, str]
    planned: Mapping[str, str]
    venue_ids: frozenset[str]

    def meant(self, ref: str) -> tuple[str, str]:
        """Site and venue of the register that an id of a decisions table means; empty where there is none."""
        if ref in self.planned:
            return ("", ref) if ref in self.venue_ids else (ref, "")
        found = _FULL_ID.fullmatch(ref)
        site = self.sites.get(ref) or self.former.get(ref, "")
        venue = self.venues.get(bare_id(ref), "") if found is None or found[1] in _OF_VENUES else ""
        venue = venue or self.venues.get(ref, "")
        if not site and found is None:
            spots = self.spots.get(ref, ())
            site = spots[0] if len(spots) == 1 else ""
        return site, venue

    def knows(self, ref: str) -> bool:
        """Whether some site or venue of the register is meant, one or several."""
        return any(self.meant(ref)) or ref in self.spots

    def shown(self, ref: str, site_id: str, venue_id: str) -> str:
        """The id that the study knows a decision by."""
        if ref in self.former and ref not in self.sites:
            return self.planned.get(self.former[ref]) or ref
        if ref:
            return self.planned.get(ref) or ref
        return next((self.planned.get(own) or own for own in (site_id, venue_id) if own), "")


def _names(sites: pd.DataFrame, venues: pd.DataFrame) -> _Names:
    """What ids mean, from the tables of sites and venues."""
    own, former, spots = dict[str, str](), dict[str, str](), dict[str, tuple[str, ...]]()
    planned = dict[str, str]()
    for row_id, study_id, old in zip(sites.index, _text(sites, "study_id"), _text(sites, "former_ids"), strict=True):
        planned[row_id] = study_id
        former |= {text: row_id for text in old.split("|") if text}
        if study_id:
            own[study_id] = row_id
            found = _FULL_ID.fullmatch(study_id)
            if found is not None and found[1] in _OF_VENUES:
                spots[found[2]] = (*spots.get(found[2], ()), row_id)
    known = {}
    for row_id, study_id in zip(venues.index, _text(venues, "study_id"), strict=True):
        found = _FULL_ID.fullmatch(study_id)
        planned[row_id] = study_id
        if study_id:
            known[found[2] if found is not None and found[1] in _OF_VENUES else study_id] = row_id
    return _Names(own, former, spots, known, planned, frozenset(venues.index))


def places_meant(transaction: Transaction, refs: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Ids of the site and of the venue in the register that ids of a decisions table mean.

    Parameters
    ----------
    transaction : Transaction
    refs : iterable of str
        Ids of the register, of plans, or of layers.

    Returns
    -------
    dict of str to (str, str)
        Site and venue; empty where there is none.
    """
    register, connection = transaction.register, transaction.connection
    names = _names(*(read_rows(register, name, connection=connection) for name in ("sites", "venues")))
    return {ref: names.meant(ref) for ref in refs}


def link_opinions(transaction: Transaction, why: str) -> int:
    """Give opinions and complaints that came before the sites and venues they are about the ids of these.

    Returns
    -------
    int
        Rows that now name a site or a venue.
    """
    tables = {name: read_rows(transaction.register, name, connection=transaction.connection)
              for name in ("decisions", "fees")}
    left = {name: table[(_text(table, "ref") != "").to_numpy(bool) & table["venue_id"].isna().to_numpy(bool)]
            for name, table in tables.items()}
    left["decisions"] = left["decisions"][left["decisions"]["site_id"].isna()]
    if not any(len(table) for table in left.values()):
        return 0
    meant = places_meant(transaction, {ref for table in left.values() for ref in table["ref"]})
    number = 0
    for name, table in left.items():
        edits: dict[str, dict[str, Any]] = {}
        for row_id, ref in zip(table.index, table["ref"], strict=True):
            site, venue = meant[ref]
            found = {"venue_id": venue, **({"site_id": site} if name == "decisions" else {})}
            edits[str(row_id)] = {column: text for column, text in found.items() if text}
        number += edit_rows(transaction, name, {row_id: edit for row_id, edit in edits.items() if edit}, why)
    return number


def import_opinions(transaction: Transaction, decisions: Decisions | pd.DataFrame, ledger: InputLedger | None = None,
                    ) -> list[str]:
    """Take the rows of a decisions table into the register.

    Rows that another one overrules are taken as well, so that reading them again settles them alike. Each row counts
    from its own day; one without a day, or of a day after that of the stamp, from the day of the stamp.

    Parameters
    ----------
    transaction : Transaction
    decisions : Decisions or DataFrame
        A table of the layer ``decisions``, read or not.
    ledger : InputLedger, optional
        Takes a line for each row that is there already (same id, action, value, who and day), for each that cannot
        be read, which stay outside, and for each id that no site or venue of the register has; a register that has
        none at all yet is told of no id.

    Returns
    -------
    list of str
        Ids of the rows that were added.
    """
    told = InputLedger() if ledger is None else ledger
    heard = InputLedger()
    given = decisions if isinstance(decisions, Decisions) else read_decisions(decisions, heard)
    left = {(row.file, row.row) for row in given.every if _is_left(row)}
    told.extend(line for line in heard if line.action != "refused" or (line.file, line.row) not in left)
    register, connection = transaction.register, transaction.connection
    sites, venues = (read_rows(register, name, connection=connection) for name in ("sites", "venues"))
    names, known = _names(sites, venues), set(_known(transaction))
    rows: dict[str, list[dict[str, Any]]] = {"decisions": [], "fees": []}
    for row in given.every:
        table = "fees" if row.action == "fee" else "decisions"
        if _is_left(row):
            told.add(LAYER, row.file, row.row, "action", row.said, "refused", f"没有登记:{row.note or '读不出决定'}", "改正后再登记")
            continue
        key = _key(table, row)
        if key in known:
            told.add(LAYER, row.file, row.row, "id", row.id, "note", "储备库已有同样的一条,没有重复登记", "无需处理")
            continue
        known.add(key)
        if len(names.planned) and not names.knows(row.id):
            told.add(LAYER, row.file, row.row, "id", row.id, "note", "编号在储备库中没有对应的站址或场所,已登记,不计入任何场所", "核对编号")
        rows[table].append(_register_row(row, names, transaction.stamp.day))
    return [row_id for table, entries in rows.items() for row_id in add_rows(transaction, table, entries)]


def _is_left(row: Decision) -> bool:
    """Whether a row cannot be read and stays outside."""
    return not row.action or not row.id or bool(row.note and not row.overruled)


def _key(table: str, row: Decision) -> tuple[Any, ...]:
    """What makes two rows the same one."""
    day = None if row.date is None else pd.Timestamp(row.date)
    if table == "fees":
        return table, row.id, row.kind, f"{row.amount_yuan:.15g}", row.who, day
    return table, row.id, row.action, row.value, row.who, day


def _known(transaction: Transaction) -> Iterator[tuple[Any, ...]]:
    """Keys of the rows that are in the register."""
    decisions, fees = (read_rows(transaction.register, name, connection=transaction.connection)
                       for name in ("decisions", "fees"))
    days = [None if pd.isna(day) else day for day in decisions["day"]]
    cells = [_text(decisions, name) for name in ("ref", "action", "value", "who")]
    yield from zip(["decisions"] * len(decisions), *cells, days, strict=True)
    amounts = [f"{amount:.15g}" for amount in fees["amount_yuan"]]
    days = [None if pd.isna(day) else day for day in fees["day"]]
    yield from zip(["fees"] * len(fees), _text(fees, "ref"), _text(fees, "kind"), amounts, _text(fees, "payer"), days,
                   strict=True)


def _register_row(row: Decision, names: _Names, day: dt.date) -> dict[str, Any]:
    """A decision as a row of its table."""
    site_id, venue_id = names.meant(row.id)
    out = {"ref": row.id, "venue_id": venue_id or None, "day": row.date, "why": row.why, "source_file": row.file,
           "source_row": row.row, DAY: min(row.date or day, day)}
    if row.action == "fee":
        amount = None if row.amount_yuan != row.amount_yuan else row.amount_yuan
        return {**out, "kind": row.kind, "amount_yuan": amount, "payer": row.who, "stated": row.value}
    return {**out, "action": row.action, "value": row.value, "who": row.who, "site_id": site_id or None}
