"""What can be saved of a damaged GeoPackage register: rows and log, each proved by its seal; a new register of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert

from siteplan.errors import RegisterError
from siteplan.register.dictionary import register_tables
from siteplan.register.store.cells import Held, driver_cells, insert_rows
from siteplan.register.store.checking import is_sealed
from siteplan.register.store.connect import writing_connection
from siteplan.register.store.layout import keep_fact
from siteplan.register.store.opening import LAST_EVENT, LOST_EVENTS, Register, create_register, is_crs
from siteplan.register.store.remains import Remains, read_remains, replayed
from siteplan.register.store.seals import seal_of_texts
from siteplan.register.store.transaction import EVENT_COLUMNS

_LARGE = 64 * 1024 * 1024
"""Bytes; a larger file is not read through only to say in an error what could be saved."""


@dataclass(frozen=True)
class SavedTable:
    """What can be saved of one table.

    Attributes
    ----------
    expected : int
        Rows by the log and by what was read.
    readable : int
        Rows that were read as the toolkit wrote them.
    restored : tuple of str
        Ids of rows that could not be read, or not rightly, and were built again from the log.
    doubtful : tuple of str
        Ids of rows that do not fit their seal and are not in the log either as they stand.
    lost : tuple of str
        Ids of rows of which nothing is left but their mention in the log.
    """

    expected: int
    readable: int
    restored: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Salvage:
    """What can be saved of a register.

    Attributes
    ----------
    path : Path
        The damaged file.
    why : str
        What is wrong with it; empty of a sound one.
    tables : mapping of str to SavedTable
    events : int
        Lines of the log that were read.
    lost_events : tuple of int
        Numbers of those that were not.
    doubtful_events : tuple of int
        Numbers of those that do not fit their seal.
    """

    path: Path
    why: str
    tables: Mapping[str, SavedTable]
    events: int
    lost_events: tuple[int, ...]
    doubtful_events: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """What a planner reads."""
        parts = [f"{register_tables()[name].zh} {table.readable + len(table.restored)}/{table.expected}"
                 for name, table in self.tables.items() if table.expected]
        doubtful = sum(len(table.doubtful) for table in self.tables.values())
        return "、".join([*parts, f"变更记录 {self.events}/{self.events + len(self.lost_events)}"]) + (
            f";另有 {doubtful} 行内容存疑" if doubtful else "")

    def __str__(self) -> str:
        return self.sentence


def salvage(path: str | Path) -> Salvage:
    """What can be saved of a file, without changing it.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    RegisterError
        The file cannot be read, or nothing of a register is in it.
    """
    return _sorted_out(Path(path), read_remains(Path(path)))[0]


def salvage_sentence(path: Path) -> str:
    """For the message of an error: what could be saved; empty where nothing can be said."""
    try:
        if path.stat().st_size > _LARGE:
            return "可用 siteplan register rescue 取出还能读的内容。"
        return f"可救出:{salvage(path).sentence}。"
    except OSError:
        return ""
    except RegisterError:
        return "没有可救出的内容。"


def rescue(path: str | Path, target: str | Path, at: dt.datetime, *, city: str = "", crs: str = "") -> Salvage:
    """Write a new register with everything that can be saved of a damaged one.

    Rows keep their ids, the log keeps its numbers. Doubtful rows are written as they were read and go on being told by
    `check_seals`.

    Parameters
    ----------
    path : str or Path
        The damaged file; it is not changed.
    target : str or Path
        Where the new register goes; nothing may be there.
    at : datetime
        Moment, with its zone.
    city, crs : str
        Taken where the file no longer says them; a CRS that is given goes before the file's.

    Returns
    -------
    Salvage

    Raises
    ------
    RegisterError
        Nothing of a register is in the file, its CRS is not to be found, or the target cannot be written.
    """
    remains = read_remains(Path(path))
    told, rows = _sorted_out(Path(path), remains)
    named = (crs, remains.facts.get("crs", ""), f"EPSG:{remains.srid}")
    crs = next((words for words in named if is_crs(words)), "")
    if not crs:
        raise RegisterError(f"{path} 中已读不出坐标系:用 --crs 写明,例如 EPSG:4547")
    register = create_register(target, remains.facts.get("city") or city or "未知城市", crs, at)
    try:
        _write(register, remains, rows, told)
    except BaseException:
        if register.place.path is not None:
            register.place.path.unlink(missing_ok=True)
        raise
    return told


def _sorted_out(path: Path, remains: Remains) -> tuple[Salvage, dict[str, list[Held]]]:
    """Every row that can be saved, table by table, and what is to be told of them."""
    logged = replayed(remains.sure_events)
    tables: dict[str, SavedTable] = {}
    rows: dict[str, list[Held]] = {}
    for name in register_tables():
        found, known = remains.rows.get(name, {}), logged.get(name, {})
        kept, restored, doubtful = [], [], []
        for row_id in sorted({*found, *known}):
            held, texts = found.get(row_id), known.get(row_id)
            row, verdict = _saved(name, row_id, held, texts, remains)
            kept.append(row)
            restored += [row_id] if verdict == "restored" else []
            doubtful += [row_id] if verdict == "doubtful" else []
        lost = sorted((remains.mentioned.get(name, set()) | remains.numbered(name)) - {*found, *known})
        tables[name] = SavedTable(len(kept) + len(lost), len(kept) - len(restored) - len(doubtful), tuple(restored),
                                  tuple(doubtful), tuple(lost))
        rows[name] = kept
    numbers = {event[0] for event in remains.events}
    gone = tuple(sorted(set(range(1, remains.last_event + 1)) - numbers - remains.known_lost))
    odd = remains.doubtful_events or any(table.doubtful or table.restored for table in tables.values())
    why = remains.why or ("内容与登记时的摘要不符" if odd else "")
    told = Salvage(path, why, tables, len(numbers), gone, remains.doubtful_events)
    return told, rows


def _saved(name: str, row_id: str, held: Held | None, texts: Mapping[str, str] | None, remains: Remains,
           ) -> tuple[Held, str]:
    """A row as it is to be kept, and how sure it is: read, restored from the log, doubtful."""
    if held is not None and is_sealed(held):
        return held, "read"
    if texts is None:
        return (held or Held(row_id, {}, {}, 0, "", {})), "doubtful"
    if held is not None and not held.broken and held.texts == texts:
        return held._replace(seal=seal_of_texts(row_id, texts)), "read"
    again = remains.built(name, row_id, texts)
    if held is None or again.seal == held.seal:
        return again, "restored"
    return held, "doubtful"


def _write(register: Register, remains: Remains, rows: Mapping[str, Sequence[Held]], told: Salvage) -> None:
    """Rows with their ids and seals, the log with its numbers, counters beyond every id."""
    layout = register.layout
    with writing_connection(register.engine, register.shown, register.place.schema) as connection:
        for name, kept in rows.items():
            source, spec = layout.tables[name], register_tables()[name]
            names = [column for column in spec.columns if any(held.values.get(column) is not None for held in kept)]
            columns = [driver_cells(connection, source, column, [held.values.get(column) for held in kept])
                       for column in names]
            insert_rows(connection, source, ["id", "revision", "seal", *names], list(zip(
                [held.row_id for held in kept], [held.revision for held in kept], [held.seal for held in kept],
                *columns, strict=True)))
            numbers = [int(digits) for held in kept if (digits := held.row_id.removeprefix(spec.prefix)).isdecimal()]
            last = max([*numbers, remains.counters.get(spec.prefix, 0)])
            if last:
                connection.execute(insert(layout.counters).values(prefix=spec.prefix, last=last))
        insert_rows(connection, layout.events, [*EVENT_COLUMNS, "seal"], remains.events)
        keep_fact(connection, layout, LAST_EVENT, str(remains.last_event))
        lost = sorted({*told.lost_events, *remains.known_lost})
        if lost:
            keep_fact(connection, layout, LOST_EVENTS, " ".join(map(str, lost)))
