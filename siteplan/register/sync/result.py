"""What bringing in a plan did, for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

COLUMNS = ("name", "study_id", "county", "town", "state", "why")
HELD_COLUMNS = ("table", "id", "name", "field", "field_zh", "kept", "planned", "why")
_TABLES: Mapping[str, str] = {
    "added": "新增", "kept": "保留", "moved": "位置不同", "taken_up": "重新列入", "dropped": "未再列入",
    "committed": "已落实而新方案未列入", "withdrawn": "已撤销而新方案又列入"}
SHOWN = 5
"""Sites that a sentence names."""


def no_rows(*more: str) -> pd.DataFrame:
    """A table of sites without rows."""
    return pd.DataFrame({name: pd.Series([], dtype="str") for name in (*COLUMNS, *more)},
                        index=pd.Index([], dtype="str", name="id"))


@dataclass(frozen=True)
class SyncResult:
    """What bringing in a plan did.

    Attributes
    ----------
    plan_name : str
    plan_id : str
        Row of ``plans`` that tells of it; that of the earlier time where the plan is the same.
    is_same : bool
        The plan stands in the register already as it is: nothing was written.
    added, kept, taken_up, dropped, committed, withdrawn : DataFrame
        Sites by their id in the register: ``name, study_id, county, town, state, why``. ``kept``: all that were matched
        (``how`` by what, ``distance_m``), those in ``taken_up`` had been dropped before. ``dropped`` are in the
        register and not in this plan any more; ``committed``: so are these, but they were approved or built and stay.
        ``withdrawn``: the plan lists them again, the register keeps them withdrawn.
    moved : DataFrame
        Kept sites whose place in the plan is another; ``distance_m``; ``why`` says whether the register follows.
    held : DataFrame
        Values that the register keeps although the plan says otherwise: ``table, id, name, field, field_zh, kept,
        planned, why``.
    told : tuple of str
        What else a planner should know.
    """

    plan_name: str
    plan_id: str = ""
    is_same: bool = False
    added: pd.DataFrame = field(default_factory=no_rows)
    kept: pd.DataFrame = field(default_factory=lambda: no_rows("how", "distance_m"))
    moved: pd.DataFrame = field(default_factory=lambda: no_rows("distance_m"))
    taken_up: pd.DataFrame = field(default_factory=no_rows)
    dropped: pd.DataFrame = field(default_factory=no_rows)
    committed: pd.DataFrame = field(default_factory=no_rows)
    withdrawn: pd.DataFrame = field(default_factory=no_rows)
    held: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(HELD_COLUMNS)))
    told: tuple[str, ...] = ()

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The tables of sites by their name."""
        return {name: getattr(self, name) for name in _TABLES}

    def counts(self) -> dict[str, int]:
        """How many sites each table has.

        >>> SyncResult("示例").counts()["added"]
        0
        """
        return {name: len(table) for name, table in self.tables.items()}

    def sentences(self) -> tuple[str, ...]:
        """What a planner reads.

        >>> SyncResult("示例", is_same=True).sentences()
        ('规划“示例”与储备库中的相同,没有改动。',)
        """
        if self.is_same:
            return (f"规划“{self.plan_name}”与储备库中的相同,没有改动。", *self.told)
        counts = self.counts()
        first = (f"规划“{self.plan_name}”已并入储备库({self.plan_id}):新增 {counts['added']} 处,保留 {counts['kept']} 处"
                 f"(其中位置不同 {counts['moved']} 处,重新列入 {counts['taken_up']} 处),未再列入 {counts['dropped']} 处。")
        lines = [first]
        for name, end in (("moved", ""), ("dropped", "状态不变;未撤销的,以后的方案可重新列入"), ("committed", "保留"),
                          ("withdrawn", "仍为已撤销;要恢复时改状态为储备并写明原因")):
            table = getattr(self, name)
            if len(table):
                lines.append(f"{_TABLES[name]} {len(table)} 处:{_named(table)}{f'({end})' if end else ''}。")
        if len(self.held):
            lines.append(f"方案与储备库的取值不同、按储备库保留的有 {len(self.held)} 项。")
        return (*lines, *self.told)


def _named(table: pd.DataFrame) -> str:
    """Some sites by name and id, and how many more."""
    some = table.head(SHOWN)
    told = "、".join(f"{name}({key})" for key, name in zip(some.index, some["name"], strict=True))
    return f"{told} 等" if len(table) > SHOWN else told
