"""Words of the exposure screening: whose values they are, what was found, what could not be looked at."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from conftest import rect
from test_exposure import house, screen, sector, sectors

from siteplan.coverage import Exposure, describe_exposure
from siteplan.coverage._sensitive import exposure_of, load_exposure
from siteplan.export._exposure import _note, exposure_notes, whose_values
from siteplan.params import ExposureParams
from siteplan.surface import Surface

RULES = load_exposure()
NEAR = {"B": house(rect(520, 490, 540, 510), 18.0)}
BEAM = {"gain_dbi": 25.0, "horizontal_deg": 12.0, "vertical_deg": 7.0, "steer_horizontal_deg": 40.0,
        "steer_vertical_deg": 5.0, "element_deg": 65.0}


def screened(flat: Surface, changes: dict[str, Any], power_db: float = 0.0) -> tuple[Exposure, dict[str, Any]]:
    """A house in front of a mast, screened by a study's rules; and the study's table as a plan carries it."""
    params = ExposureParams.model_validate(changes)
    mast = sector()
    masts = sectors(A_1={**mast, "epre_dbm": mast["epre_dbm"] + power_db})
    return screen(flat, masts, NEAR, params=exposure_of(params)), params.model_dump(mode="json")


def test_a_study_that_says_nothing_keeps_the_sentences_of_the_table(flat: Surface) -> None:
    found, given = screened(flat, {})
    said = "".join(exposure_notes(found, given))
    assert RULES.unverified in said
    assert "研究文件给定" not in said
    for standard in ("HJ/T 10.3-1996", "YD 5039-2009"):
        assert standard in said


@pytest.mark.parametrize(("changes", "part", "standard"), [
    ({"management_share": 0.5}, "单站按限值的 50% 管理(研究文件给定)", "HJ/T 10.3"),
    ({"taller_radius_m": 45.0}, "水平 45 米内高于天线的建筑另行标出(研究文件给定)", "YD 5039"),
])
def test_a_standard_is_named_only_beside_its_own_value(flat: Surface, changes: dict[str, Any], part: str,
                                                       standard: str) -> None:
    found, given = screened(flat, changes)
    said = "".join(exposure_notes(found, given))
    assert part in said
    assert standard not in said
    told = {**found.pairs.iloc[0].to_dict(), "taller_near": True}
    assert ("YD 5039" in _note(told, found.rules)) == ("taller_radius_m" not in changes)


@pytest.mark.parametrize(("changes", "given", "left"), [
    ({"roof_loss_db": 15.0}, ["屋面衰减"], ["功率折减 F", "有源天线的增益与波束范围"]),
    ({"roof_loss_db": 10.0}, ["屋面衰减"], ["功率折减 F", "有源天线的增益与波束范围"]),
    ({"antennas": {"macro_64t": {"factor": 0.25}}}, ["天线 macro_64t 的功率折减 F"], ["屋面衰减", "有源天线的增益与波束范围"]),
    ({"antennas": {"macro_64t": BEAM}}, ["天线 macro_64t 的增益与波束范围"], ["功率折减 F", "屋面衰减"]),
    ({"antennas": {"panel_700": {"factor": 0.5}}}, ["天线 panel_700 的功率折减 F"],
     ["功率折减 F", "屋面衰减", "有源天线的增益与波束范围"]),
    ({"roof_loss_db": 15.0, "antennas": {"macro_64t": {"factor": 0.25, **BEAM}}},
     ["屋面衰减", "天线 macro_64t 的功率折减 F、增益与波束范围"], []),
])
def test_values_of_the_study_are_not_called_defaults(flat: Surface, changes: dict[str, Any], given: list[str],
                                                     left: list[str]) -> None:
    """The town's only antenna is macro_64t: once all is given, nothing is called unchecked any more."""
    found, table = screened(flat, changes)
    own, _, rest = whose_values(found, table).partition(";其余")
    assert own == "研究文件给定:" + "、".join(given)
    assert rest == ("、".join(left) + "为缺省值,未经核实" if left else "")


def test_no_site_nothing_near_and_nothing_found_are_three_sentences(flat: Surface) -> None:
    far = {"B": house(rect(10, 10, 20, 20))}
    nobody = describe_exposure(screen(flat, sectors(A_1=sector())[:0], far))
    alone = describe_exposure(screen(flat, sectors(A_1=sector()), far))
    weak = describe_exposure(screened(flat, {}, power_db=-40.0)[0])
    strong = describe_exposure(screened(flat, {}, power_db=10.0)[0])
    assert "未作筛查" in nobody
    assert "未发现敏感建筑" in alone
    assert "1 栋敏感建筑中,未发现可能超过公众限值的" in weak
    assert "1 栋可能超过公众限值(涉及 1 处站)" in strong
    assert ["重算" in words for words in (nobody, alone, weak, strong)] == [False, False, False, True]
    assert all("不是环境影响评价" in words for words in (nobody, alone, weak, strong))


def test_without_buildings_only_facilities_were_looked_at(flat: Surface) -> None:
    found = screened(flat, {}, power_db=10.0)[0]
    bare = dataclasses.replace(found, has_buildings=False)
    nothing = dataclasses.replace(bare, pairs=bare.pairs[:0])
    for words in (describe_exposure(bare), describe_exposure(nothing)):
        assert "没有建筑物图层,只查了公共设施" in words
        assert "栋" not in words
    assert "没有建筑物图层" not in describe_exposure(found)
