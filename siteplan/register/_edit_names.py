"""Names in lists: short names of organisations, and rows that are named instead of numbered."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import pandas as pd

from siteplan.input_ledger import InputLedger
from siteplan.register._edit_cells import ORIGIN
from siteplan.register.dictionary import RegisterTable, register_tables
from siteplan.register.store import Transaction, read_rows
from siteplan.schema import normalise_word

Tell = Callable[[dict[str, Any], str, str, str], None]
_NAMED_BY = ("study_id", "work_no", "name", "title")
"""Fields by which a row may be named, where it is the only one of that name."""


class Names:
    """What the names in a list mean in this register."""

    def __init__(self, transaction: Transaction, spec: RegisterTable) -> None:
        self._transaction, self._spec = transaction, spec
        self._rows: dict[str, pd.DataFrame] = {}
        self._words: dict[str, dict[str, list[str]]] = {}
        places = self._read("organisations")
        self.counties = tuple(places.loc[places["kind"] == "county", "name"])

    def _read(self, table: str) -> pd.DataFrame:
        if table not in self._rows:
            found = read_rows(self._transaction.register, table, connection=self._transaction.connection)
            self._rows[table] = pd.DataFrame(found)
        return self._rows[table]

    def _meant(self, table: str) -> dict[str, list[str]]:
        """Ids of rows by their names; names of organisations by their short names."""
        if table in self._words:
            return self._words[table]
        rows, out = self._read(table), dict[str, list[str]]()
        if table == "organisations":
            for name, words in zip(rows["name"], rows["words"], strict=True):
                for word in [name, *(words.split("|") if isinstance(words, str) else ())]:
                    out.setdefault(normalise_word(word), []).append(name)
        else:
            for field in _NAMED_BY:
                for row_id, name in zip(rows.index, rows.get(field, ()), strict=False):
                    if isinstance(name, str):
                        out.setdefault(normalise_word(name), []).append(str(row_id))
        self._words[table] = {word: list(dict.fromkeys(meant)) for word, meant in out.items()}
        return self._words[table]

    def settle(self, row: dict[str, Any], tell: Tell, ledger: InputLedger) -> None:
        """Replace short names and names by what the register knows; what it does not know stays for its own checks."""
        for name, held in self._spec.fields.items():
            text = row.get(name)
            if not isinstance(text, str) or not (held.organisation or held.refers):
                continue
            table = held.refers or "organisations"
            parts = text.split("|") if held.many else [text]
            settled = [self._one(row, name, part, table, tell) for part in parts]
            if settled != parts:
                row[name] = "|".join(settled)
                ledger.add(self._spec.name, str(row.get(ORIGIN[0], "")), row.get(ORIGIN[1], ""), name, text, "repaired",
                           f"“{held.spec.zh}”按简称或名称认作 {row[name]}", "核对")

    def _one(self, row: dict[str, Any], name: str, part: str, table: str, tell: Tell) -> str:
        rows = self._read(table)
        if part in rows.index if table != "organisations" else part in set(rows["name"]):
            return part
        found = self._meant(table).get(normalise_word(part), [])
        if len(found) > 1:
            zh = register_tables()[table].zh
            tell(row, name, f"{zh}中有 {len(found)} 项叫“{part}”:{'、'.join(found[:5])}", "写编号")
        return found[0] if len(found) == 1 else part

    def near_county(self, word: str) -> str:
        """Counties that are spelled alike."""
        return "、".join(get_close_matches(word, self.counties, n=2, cutoff=0.4)) or "、".join(self.counties[:10])
