"""The apostrophe that guards a cell of our lists from being a formula comes off when the toolkit reads them back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from siteplan.export._workbook import write_csv
from siteplan.layers import inspect_layers
from siteplan.params import LayerSource

WORDS = ["=1+1", "+86 20", "-无", "@张三", "\t缩进", "'引号", "一般", "O'Neil", "='b'"]


def read_back(path: Path) -> pd.DataFrame:
    layers = inspect_layers({"decisions": LayerSource(path=path.name)}, "EPSG:4547", path.parent)
    return pd.DataFrame(layers.tables["decisions"]).set_index("id")


@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "with quotes"])
def test_decisions_come_back_as_they_were(tmp_path: Path, quoted: bool) -> None:
    words = [*WORDS, *['=a,"b"'] * quoted]
    given = pd.DataFrame({"id": [f"S{number}" for number in range(len(words))], "action": "include", "who": "会议",
                          "why": words})
    write_csv(given, tmp_path / "decisions.csv")
    assert "'=1+1" in (tmp_path / "decisions.csv").read_text(encoding="utf-8-sig")
    read = read_back(tmp_path / "decisions.csv")
    assert read["why"].str.strip().tolist() == [word.strip() for word in words]


@pytest.mark.parametrize(("cell", "text"), [
    ("'=1", "=1"), ("''=1", "''=1"), ("'\uff1d1", "\uff1d1"), ("'1", "'1"), ("'", "'")])
def test_only_a_guard_is_taken_off(tmp_path: Path, cell: str, text: str) -> None:
    (tmp_path / "decisions.csv").write_text(f"id,action,why\nS1,include,{cell}\nS2,include,x\n", encoding="utf-8")
    assert read_back(tmp_path / "decisions.csv").loc["S1", "why"] == text
