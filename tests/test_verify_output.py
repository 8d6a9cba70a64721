"""What ``siteplan verify`` prints: the conclusion first, what failed, and in one line what passed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from certificate_toy import HEADER, change_json, copied, solved, toy, write_folder
from typer.testing import CliRunner

from siteplan.cli import app
from siteplan.verify import Check, Verdict, told_of, verify

PAIRS = "S-1 → 格 3:概率 0.986991,记为不服务：不符\nS-2 → 格 4:概率 0.755998,记为服务 1：相符"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = toy(phases=True)
    return write_folder(made, solved(made), tmp_path_factory.mktemp("honest"))


def lines_of(folder: Path, *options: str) -> list[str]:
    """Lines that the command prints."""
    return CliRunner().invoke(app, ["verify", str(folder), *options], env={"COLUMNS": "300"}).stdout.splitlines()


def test_the_conclusion_comes_first(honest: Path) -> None:
    lines, found = lines_of(honest), verify(honest)
    passed = [check.zh for check in found.checks if check.ok]
    assert lines[0] == f"复核结论:部分未核({len(found.checks)} 项:通过 {len(passed)},未通过 0,未核 1)"
    assert f"其余 {len(passed)} 项通过:{';'.join(passed)}" in lines
    assert lines[-1].startswith("未核对:工作簿、函件、地图、覆盖栅格")
    assert len(lines) < 12
    assert [name in "".join(lines) for name in ("核对项", "所称", "重算", "说明", "应为", "实为")] == [True] * 4 + [False] * 2


def test_full_shows_every_check(honest: Path) -> None:
    text, found = "\n".join(lines_of(honest, "--full")), verify(honest)
    assert {cells[0] for _, cells in told_of(found, full=True).rows} == {f"{one.word} {one.zh}" for one in found.checks}
    assert "通过 目标值" in text
    assert "项通过:" not in text
    assert not re.search(r"0 项不符|\d\.\d{4,}", text)


def test_a_wrong_gap_is_told_in_order(honest: Path, tmp_path: Path) -> None:
    """What is claimed stands before what was recounted, with two decimals."""
    place = copied(honest, tmp_path / "out")
    truth = json.loads((place / HEADER).read_text("utf-8"))["gap"]
    change_json(place, HEADER, lambda facts: facts.update(gap=truth / 2))
    row = next(line for line in lines_of(place) if "未通过 间隙" in line)
    assert re.findall(r"[\d.]+%", row) == [f"{truth / 2:.2%}", f"{truth:.2%}"]
    assert f"未通过 间隙 =(上界-目标值)/|目标值|:所称 {truth / 2:.2%},重算 {truth:.2%}" in verify(place).sentences


def test_what_is_told_has_no_keys(honest: Path, tmp_path: Path) -> None:
    place = copied(honest, tmp_path / "out")
    change_json(place, "plan.json", lambda facts: facts["bound"].update(
        status="optimal", optimality_gap=0.0, value=1.0))
    change_json(place, "plan.json", lambda facts: facts["sites"][0].update(cost_yuan=1.0))
    text = "\n".join("|".join(cells) for _, cells in told_of(verify(place)).rows)
    assert "状态:plan.json 写“已证明最优”,证书写“可行”" in text
    assert "间隙:plan.json 写 0%,证书写 " in text
    assert "投资不一致" in text
    assert not re.search(r"status|optimal|cost_yuan|gain|served|value|_yuan|feasible", text)


def test_pairs_that_contradict_are_shown() -> None:
    """Of the spot check the contradicting pairs, of the full one all, numbers with three decimals."""
    checks = (Check("spot_served", "抽查记为服务的配对", False, "重算概率不低于 0.75", "2 对：相符 1，不符 1", PAIRS),)
    verdict = Verdict(False, "未通过", "feasible", 1.0, 1.0, 0.0, checks, (), ("复核结论:未通过", "未核对:地图"))
    wrong, right = "S-1 → 格 3:概率 0.987,记为不服务：不符", "S-2 → 格 4:概率 0.756,记为服务 1：相符"
    assert told_of(verdict).pairs == (("抽查记为服务的配对", (wrong,)),)
    assert told_of(verdict, full=True).pairs == (("抽查记为服务的配对", (wrong, right)),)
    assert told_of(verdict).tail == ("未核对:地图",)


def test_json_keeps_everything(honest: Path) -> None:
    found = json.loads("\n".join(lines_of(honest, "--json")))
    assert len(found["checks"]) == len(verify(honest).checks)
    assert found["value"] == pytest.approx(json.loads((honest / HEADER).read_text("utf-8"))["value"], rel=1e-12)
