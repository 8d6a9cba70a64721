"""Rows of a works list, checked one by one; which works of the register each of them is."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shapely

from siteplan.errors import Problem
from siteplan.register.dictionary import register_tables, word_of
from siteplan.register.store.values import ValueFault, typed, typed_shape
from siteplan.register.works.pairs import mended
from siteplan.register.works.rates import ListRules, works_kind
from siteplan.schema import normalise_word

ORIGIN = ("source_file", "source_row")
TABLE = "works"


class ListedRow(NamedTuple):
    """One row of a list.

    Attributes
    ----------
    where : (str, str, str)
        Layer, file and row of its problems.
    values : dict
        Typed values of the columns of ``works``; the geometry is valid.
    origin : dict
        ``source_file`` and ``source_row`` as given.
    """

    where: tuple[str, str, str]
    values: dict[str, Any]
    origin: dict[str, Any]


def listed_rows(rows: Iterable[Mapping[str, Any]], list_name: str) -> tuple[list[ListedRow], list[Problem], list[str]]:
    """Rows of a list with typed values, everything that is wrong with them, and what was assumed (in Chinese)."""
    out, problems = list[ListedRow](), list[Problem]()
    taken_as, repaired = Counter[tuple[str, str]](), 0
    for number, row in enumerate(rows, 1):
        where = (TABLE, str(row.get(ORIGIN[0]) or list_name), str(row.get(ORIGIN[1]) or number))
        values, faults = _typed(row)
        told = row.get("kind")
        if isinstance(told, str) and values.get("kind") and told.strip() not in _spellings():
            taken_as[told.strip(), values["kind"]] += 1
        if values.get("geometry") is not None and not shapely.is_valid(values["geometry"]):
            values["geometry"] = mended(np.array([values["geometry"]], dtype=object))[0]
            repaired += 1
        problems += [Problem(*where, *fault) for fault in (*faults, *_faults(values, {name for name, *_ in faults}))]
        out.append(ListedRow(where, values, {name: row[name] for name in ORIGIN if name in row}))
    if not out:
        problems.append(Problem(TABLE, list_name, "", "", "清单没有一行", "核对文件;不再有工程时逐条改为非现行"))
    problems += _repeated(out)
    notes = [f"工程类型“{told}”按“{word_of(TABLE, 'kind', kind)}”计({count}行)"
             for (told, kind), count in sorted(taken_as.items())]
    return out, problems, notes + ([f"{repaired}行的图形自相交,已修正"] if repaired else [])


def _spellings() -> set[str]:
    values = register_tables()[TABLE].fields["kind"].spec.values
    return {word for code, words in values.items() for word in (code, *words)}


def _typed(row: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """Typed values of a row, and what is wrong with single ones."""
    fields, out, faults = register_tables()[TABLE].fields, dict[str, Any](), list[tuple[str, str, str]]()
    for name, value in row.items():
        if name in ORIGIN:
            continue
        known = typed(fields[name], value) if name in fields else value
        found = typed_shape("any", value) if name == "geometry" else known
        if name == "kind" and isinstance(found, ValueFault):
            found = works_kind(str(value), str(row.get("name") or "")) or found
        if isinstance(found, ValueFault):
            faults.append((name, found.reason, found.remedy))
        else:
            out[name] = found
    return out, faults


def _faults(values: Mapping[str, Any], told: set[str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a row as a whole; nothing is said twice of one field."""
    for name, zh in (("name", "工程名称"), ("kind", "工程类型")):
        if values.get(name) is None and name not in told:
            yield name, f"{zh}为空", f"补填{zh}"
    if values.get("geometry") is None and "geometry" not in told:
        yield "geometry", "没有位置", "补充工程的线、面或点"
    start, end = values.get("start_on"), values.get("end_on")
    if start is not None and end is not None and start > end:
        yield "end_on", f"计划完工 {end} 早于计划开工 {start}", "核对两个日期"


def _repeated(rows: Sequence[ListedRow]) -> list[Problem]:
    """Numbers that stand in a list more than once."""
    first, out = dict[str, str](), list[Problem]()
    for row in rows:
        number = row.values.get("work_no")
        if number is None:
            continue
        if number in first:
            out.append(Problem(*row.where, "work_no", f"工程编号 {number} 与第 {first[number]} 行重复", "一项工程一个编号"))
        first.setdefault(number, row.where[2])
    return out


def overlap(one: shapely.Geometry, other: shapely.Geometry, rules: ListRules) -> float:
    """How much of the smaller of two works lies on the other one, each widened: 0 to 1.

    >>> street = shapely.LineString([(0, 0), (200, 0)])
    >>> rules = ListRules(same_place_m=15, same_share=0.5)
    >>> round(overlap(street, shapely.LineString([(0, 3), (200, 3)]), rules), 2)
    0.9
    """
    wide = [shapely.buffer(shape, rules.same_place_m) for shape in (one, other)]
    least = min(shape.area for shape in wide)
    return float(shapely.intersection(*wide).area / least) if least else 0.0


def known_works(rows: Sequence[ListedRow], known: pd.DataFrame, rules: ListRules,
                ) -> tuple[list[str | None], list[Problem]]:
    """Id of the works that each row is, None for a new one; rows of one list that are the same works are problems.

    The number decides. A row without one, or whose number is new, is a known works when name and kind are the same and
    the shapes overlap; then the greatest overlap, the smaller id. Two numbers that differ are two works.
    """
    numbers = {str(number): str(key) for key, number in known["work_no"].dropna().items()} if len(known) else {}
    found = [numbers.get(row.values.get("work_no") or "") for row in rows]
    used = {key for key in found if key is not None}
    named: dict[tuple[str, str], list[str]] = {}
    for key, name, kind in zip(known.index, known["name"], known["kind"], strict=True):
        named.setdefault((normalise_word(str(name)), str(kind)), []).append(str(key))
    claims = []
    for at, row in enumerate(rows):
        if found[at] is not None:
            continue
        for key in named.get(_name_key(row), ()):
            other = known.at[key, "work_no"]
            if key in used or (row.values.get("work_no") and not pd.isna(other)) or known.at[key, "geometry"] is None:
                continue
            share = overlap(row.values["geometry"], known.at[key, "geometry"], rules)
            if share >= rules.same_share:
                claims.append((-share, key, at))
    for _, key, at in sorted(claims):
        if found[at] is None and key not in used:
            found[at] = key
            used.add(key)
    return found, _same_twice(rows, rules)


def _name_key(row: ListedRow) -> tuple[str, str]:
    return normalise_word(row.values["name"]), row.values["kind"]


def _same_twice(rows: Sequence[ListedRow], rules: ListRules) -> list[Problem]:
    """Rows of one list that are the same works, one of them without a number."""
    groups, out = dict[tuple[str, str], list[ListedRow]](), list[Problem]()
    for row in rows:
        earlier = groups.setdefault(_name_key(row), [])
        for other in earlier:
            if row.values.get("work_no") and other.values.get("work_no"):
                continue
            if overlap(row.values["geometry"], other.values["geometry"], rules) >= rules.same_share:
                out.append(Problem(*row.where, "name", f"与第 {other.where[2]} 行同名、同类、同一位置", "删去一行,或分别填写工程编号"))
                break
        earlier.append(row)
    return out


def plain(cell: Any) -> Any:
    """A cell of a table of the register as a typed value."""
    if cell is None or cell is pd.NaT or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return None
    if isinstance(cell, np.generic):
        return plain(cell.item())
    return cell.date() if isinstance(cell, dt.datetime) else cell
