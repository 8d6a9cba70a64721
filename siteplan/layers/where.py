"""The ``where`` and ``columns`` of a study file against the columns that a file really has."""

from __future__ import annotations

import difflib
import re
import sqlite3
from collections.abc import Sequence

import pandas as pd

from siteplan.layers.file_log import FileLog
from siteplan.schema import coordinate_words, layer_schema, normalise_word

_TOKEN = re.compile(r"'(?:''|[^'])*(?:'|$)|\"(?:\"\"|[^\"])*(?:\"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$)|\w+")
_CALL = re.compile(r"\s*\(")
_WORDS = frozenset((
    "and", "or", "not", "is", "null", "in", "like", "ilike", "between", "escape", "true", "false", "cast", "as",
    "collate", "nocase", "glob", "regexp", "case", "when", "then", "else", "end", "exists", "select", "from",
    "distinct",
))
"""Words of a clause that are no column."""
_MOST_COLUMNS = 40


def quote_names(where: str) -> str:
    r"""Put bare names that hold a character beyond ASCII in double quotes, as OGR's parser wants them.

    What stands in quotes already, text or name, is left alone.

    >>> print(quote_names("村名='甲村' AND name = '村' AND \"人口\" > 5"))
    "村名"='甲村' AND name = '村' AND "人口" > 5
    """

    def quoted(found: re.Match[str]) -> str:
        token = found[0]
        return token if token.isascii() or token[0] in "'\"`[" else f'"{token}"'

    return _TOKEN.sub(quoted, where)


def names_in(where: str) -> tuple[list[str], list[str]]:
    r"""Names a clause uses: those in double quotes, and bare words that are not SQL; functions are left out.

    >>> names_in("\"村名\" = 'a' AND upper(name) IS NOT NULL AND rk > 5e3")
    (['村名'], ['name', 'rk'])
    """
    quoted: list[str] = []
    bare: list[str] = []
    for found in _TOKEN.finditer(where):
        token = found[0]
        if token[0] == '"':
            quoted.append(token.strip('"').replace('""', '"'))
        elif token[0] not in "'`[0123456789" and token.casefold() not in _WORDS and not _CALL.match(where, found.end()):
            bare.append(token)
    return list(dict.fromkeys(quoted)), list(dict.fromkeys(bare))


def strangers(names: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Names that no column has, whatever their case.

    >>> strangers(["NAME", "rk"], ["name"])
    ['rk']
    """
    known = {column.casefold() for column in columns} | {"fid", "rowid"}
    return [name for name in names if name.casefold() not in known and not name.casefold().startswith("ogr_")]


def column_remedy(word: str, columns: Sequence[str]) -> str:
    """Nearest column of a file, and all of them.

    >>> column_remedy("村明", ["村名", "人口"])
    '是否应为“村名”？文件的列：村名、人口'
    """
    folded = {column.casefold(): column for column in reversed(columns)}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.4)
    more = "……" if len(columns) > _MOST_COLUMNS else ""
    have = f"文件的列：{'、'.join(columns[:_MOST_COLUMNS])}{more}" if len(columns) else "文件没有任何列"
    return f"是否应为“{folded[near[0]]}”？{have}" if near else have


def override_keys(layer: str) -> tuple[str, ...]:
    """Keys that ``columns`` of a layer may have in the study file: its fields and the coordinates.

    >>> override_keys("towns")
    ('town_code', 'name', 'county', 'lon', 'lat', 'x', 'y')
    """
    return (*layer_schema(layer).fields, *coordinate_words())


def nearest_field(layer: str, word: str) -> str | None:
    """The key of ``columns`` that a planner may have meant: by its name, else by a spelling of it; None when none.

    >>> nearest_field("facilities", "facilty_id"), nearest_field("facilities", "设施名称"), nearest_field("poles", "?")
    ('facility_id', 'name', None)
    """
    near = difflib.get_close_matches(word.casefold(), override_keys(layer), n=1, cutoff=0.6)
    if near:
        return near[0]
    words = {normalise_word(spelling): spec.name for spec in layer_schema(layer).fields.values()
             for spelling in (spec.zh, *spec.accepts)}
    words |= {normalise_word(spelling): name for name, known in coordinate_words().items() for spelling in known}
    near = difflib.get_close_matches(normalise_word(word), words, n=1, cutoff=0.5)
    return words[near[0]] if near else None


def bad_where(where: str, words: str, columns: Sequence[str], log: FileLog) -> None:
    """Log a clause that cannot be used: a mistake of the study file, whatever the layer."""
    unknown = strangers([name for names in names_in(quote_names(where)) for name in names], columns)
    hint = column_remedy(unknown[0] if unknown else "", columns)
    log.mistake(f"where 条件不能用（{words}）", f"核对列名和写法，文字值用单引号；{hint}", "where")


def names_known(where: str, columns: Sequence[str], log: FileLog) -> bool:
    """Whether every name in double quotes is a column; SQLite takes others for text and finds nothing, silently."""
    unknown = strangers(names_in(where)[0], columns)
    if unknown:
        bad_where(where, f"没有“{unknown[0]}”这一列", columns, log)
    return not unknown


def select_rows(frame: pd.DataFrame, where: str, log: FileLog) -> list[int] | None:
    """Positions of the rows that satisfy a WHERE clause (SQLite in memory, read only); None = a problem was logged.

    Parameters
    ----------
    frame : DataFrame
        Cells, columns as the file names them.
    where : str
    log : FileLog

    Examples
    --------
    >>> from siteplan.input_ledger import InputLedger
    >>> table = pd.DataFrame({"村名": ["甲村", "乙村"], "人口": ["5", "80"]})
    >>> select_rows(table, "人口 > 9", FileLog("villages", "v.csv", InputLedger()))
    [1]
    """
    columns = [str(name) for name in frame.columns]
    clause = quote_names(where)
    if not names_known(clause, columns, log):
        return None
    folded = [name.casefold() for name in columns]  # SQLite takes Name and NAME for one: the first is meant
    plain_names = [name if folded.index(folded[place]) == place else f"{name}#{place + 1}"
                   for place, name in enumerate(columns)]
    names = ", ".join('"' + name.replace('"', '""') + '" NUMERIC' for name in plain_names)
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE TABLE t ({names})")
        marks = ", ".join("?" * len(columns))
        plain = [[_plain(cell) for cell in row] for row in frame.itertuples(index=False, name=None)]
        connection.executemany(f"INSERT INTO t VALUES ({marks})", plain)
        connection.execute("PRAGMA query_only = ON")
        found = connection.execute(f"SELECT rowid FROM t WHERE {clause} ORDER BY rowid").fetchall()
    except sqlite3.Error as error:
        bad_where(where, str(error), columns, log)
        return None
    finally:
        connection.close()
    log.line("", "where", where, "note", f"按 where 条件选出 {len(found)} 行，共 {len(frame)} 行", "无需处理")
    return [row[0] - 1 for row in found]


def _plain(cell: object) -> int | float | str | None:
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, int) and not -(2 ** 63) <= cell < 2 ** 63:  # SQLite holds no greater ones
        return str(cell)
    return cell if isinstance(cell, (int, float, str)) else str(cell)
