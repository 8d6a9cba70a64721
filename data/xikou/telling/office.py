"""The office that keeps the register: what it enters on a day, what it brings in, what it says of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from siteplan.errors import RegisterError
from siteplan.register import DAY, Register, Stamp, edit_rows, open_register, read_rows, writing

if TYPE_CHECKING:
    from siteplan.export.master import PlanLayers

STORY = Path(__file__).resolve().parents[1] / "story"
OFFICE = "通信建设管理办公室"
WORKS, COUNTY_WORKS, BUILDINGS = "同步工程清单", "县区补报清单", "建设项目清单"
Say = Callable[[str], None]


def day_of(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def stamp(day: str, why: str = "") -> Stamp:
    """Noon of a day: the story has no clock."""
    when = day_of(day)
    return Stamp(OFFICE, when, dt.datetime(when.year, when.month, when.day, 12, tzinfo=dt.UTC), why)


@dataclass
class Office:
    """One telling of the story: register, folder, and what was found on the way.

    Attributes
    ----------
    where : str
        Address of the register.
    out : Path
    say : callable
    plans : mapping of int to Path
        Finished plan folders by year; a plan that is not there is run.
    with_reports : bool
        Whether the packs are written.
    found : dict
        What the checks at the end compare.
    """

    where: str
    out: Path
    say: Say
    plans: dict[int, Path]
    with_reports: bool = True
    found: dict[str, Any] = field(default_factory=dict)
    _opened: Register | None = None
    _layers: dict[int, PlanLayers] = field(default_factory=dict)

    @property
    def register(self) -> Register:
        """The register, opened at the first step that asks."""
        self._opened = self._opened or open_register(self.where)
        return self._opened

    def layers(self, year: int) -> PlanLayers:
        """Layers of the plan of a year."""
        from siteplan.export.master import read_plan_layers

        if year not in self._layers:
            self._layers[year] = read_plan_layers(self.plans[year])
        return self._layers[year]

    def rows(self, table: str) -> pd.DataFrame:
        return pd.DataFrame(read_rows(self.register, table))

    def tell(self, day: str, text: str) -> None:
        """One sentence of the story."""
        self.say(f"{day} {text}")

    def bring(self, kind: str, name: str, day: str, **more: str) -> Any:
        """Bring a list of the folder ``story`` in, as ``siteplan register import`` does."""
        from siteplan.layers import read_list
        from siteplan.register.list_kinds import KINDS, import_list

        register = self.register
        given = read_list(STORY / name, KINDS[kind], register.crs)
        return import_list(register, kind, given, stamp(day, more.pop("why", "")), **more)

    def refused(self, kind: str, name: str, day: str, **more: str) -> tuple[str, ...]:
        """Problems of a list that must not come in."""
        before = len(self.rows("quotas"))
        try:
            self.bring(kind, name, day, **more)
        except RegisterError as error:
            if len(self.rows("quotas")) != before:
                raise RuntimeError(f"{name} was refused and left rows behind") from error
            return tuple(str(problem) for problem in error.problems)
        raise RuntimeError(f"{name} was to be refused")

    def edit(self, table: str, day: str, edits: Mapping[str, Mapping[str, Any]], why: str = "") -> int:
        """Change rows; what is told holds from the day."""
        with writing(self.register, stamp(day, why)) as transaction:
            dated = {key: {**values, DAY: day_of(day)} for key, values in edits.items()}
            return edit_rows(transaction, table, dated, why)

    def task(self, title: str, organisation: str) -> str:
        """Id of the latest task of a title and organisation."""
        rows = self.rows("tasks")
        here = rows[(rows["title"] == title) & (rows["organisation"] == organisation)]
        return str(here.index[-1])

    def finish(self, day: str, title: str, organisation: str) -> None:
        from siteplan.register.duties import finish_task

        key = self.task(title, organisation)
        with writing(self.register, stamp(day)) as transaction:
            finish_task(transaction, key, day_of(day))

    def case(self, title: str) -> str:
        rows = self.rows("cases")
        return str(rows.index[(rows["title"] == title).to_numpy(bool)][0])

    def batch(self, year: int) -> list[str]:
        """Sites of a year in the order in which the plan chose them."""
        from siteplan.register.phases import year_plan

        return [str(key) for key in year_plan(self.rows("sites"), year).sort_values("rank_no").index]

    def site_of(self, study_id: str) -> str:
        rows = self.rows("sites")
        return str(rows.index[(rows["study_id"] == study_id).to_numpy(bool)][0])


def build(office: Office, ids: Iterable[str], days: Mapping[str, str]) -> None:
    """Take sites through their states; each step brings the columns of progress that belong to it."""
    wanted = list(ids)
    money = office.rows("sites")["capex_yuan"].fillna(0.0)
    for state, day in days.items():
        share = {"building": 0.4, "on_air": 1.0}.get(state)
        edits: dict[str, dict[str, Any]] = {}
        for key in wanted:
            edits[key] = {"state": state, **_PROGRESS[state]}
            if share is not None:
                edits[key]["invested_yuan"] = round(share * float(money[key]), 2)
            edits[key] |= {name: day_of(day) for name in _DATED.get(state, ())}
        office.edit("sites", day, edits)


_PROGRESS: Mapping[str, Mapping[str, str]] = {
    "ready": {"procedures": "underway", "funding": "underway", "power_supply": "direct", "environment": "none"},
    "approved": {"procedures": "done", "funding": "done", "power_application": "applied", "land": "green"},
    "building": {"construction": "underway", "environment": "done", "land": "done"},
    "on_air": {"construction": "done", "power_application": "connected", "title": "green"}}
_DATED: Mapping[str, tuple[str, ...]] = {"approved": ("procedures_on", "funding_on"), "on_air": ("completed_on",)}
