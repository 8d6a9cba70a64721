"""The input ledger: one line per value that was refused, repaired or assumed."""

from __future__ import annotations

import pytest

from siteplan.errors import LayerError, SiteplanError
from siteplan.input_ledger import InputLedger
from siteplan.layers.file_log import FileLog


def test_lines_are_kept_in_order_and_counted():
    ledger = InputLedger()
    log = FileLog("poles", "a.csv", ledger)
    log.line("2", "height_m", 900, "repaired", "超出范围", "核对单位")
    log.each(["3", "4"], "geometry", ["", ""], "refused", "没有坐标", "补坐标")
    log.line("4", "people", "x", "refused", "无法识别", "填数值")
    log.rows(["5", "6", "7"], "height_m", 8.0, "assumed", "缺杆高", "补测")
    log.rows([], "height_m", 8.0, "assumed", "缺杆高", "补测")
    assert [line.row for line in ledger] == ["2", "3", "4", "4", "共 3 行:5、6、7"]
    assert ledger.count("refused") == 3
    assert ledger.rows("refused", "poles") == 2
    assert ledger.summary() == {"poles": {"assumed": 1, "refused": 3, "repaired": 1}}
    assert next(iter(ledger)).value == "900"


def test_an_unknown_action_is_an_error():
    with pytest.raises(ValueError, match="lost"):
        InputLedger().add("poles", "a.csv", 1, "", "", "lost", "", "")


def test_a_copy_does_not_share_lines():
    first = InputLedger()
    first.add("poles", "a.csv", 1, "f", "v", "note", "r", "m")
    second = InputLedger(first)
    second.extend(first)
    assert (len(first), len(second)) == (1, 2)


def test_problems_say_where_and_how_to_mend():
    log = FileLog("stations", "工参.xlsx", InputLedger())
    log.problem("文件不存在", "核对路径")
    error = LayerError("必需图层不能使用：", log.problems)
    assert "stations / 工参.xlsx: 文件不存在 -> 核对路径" in str(error)
    assert isinstance(error, SiteplanError)
    line = InputLedger()
    line.add("a", "b", 1, "c", "d", "refused", "e", "f")
    assert str(next(iter(line)).as_problem()) == "a / b / 1 / c: e -> f"
