"""Exposure screening: limits of the standard, what a study changes, which buildings are sensitive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import at, rect, table
from pydantic import ValidationError
from test_exposure import EQUIPMENT, NO_VENUES, house, only, screen, sector, sectors
from test_minimal_studies import ground, poles, shapes, study, zones

from siteplan.coverage._sensitive import exposure_of, load_exposure, sensitive_targets
from siteplan.errors import ModelError, StudyError
from siteplan.params import ExposureParams
from siteplan.study import Study, run
from siteplan.surface import Surface

RULES = load_exposure()


def test_limits_of_the_standard() -> None:
    """GB 8702-2014 table 1: 0.4 W/m2 from 30 to 3000 MHz, f/7500 from 3000 to 15000 MHz, nothing known beyond."""
    freq = np.array([30.0, 700.0, 2600.0, 3000.0, 3500.0, 4900.0, 15000.0])
    np.testing.assert_allclose(RULES.limit_w_m2(freq), [0.4, 0.4, 0.4, 0.4, 0.46667, 0.65333, 2.0], atol=5e-6)
    assert np.isnan(RULES.limit_w_m2(np.array([20.0, 15001.0, np.nan]))).all()
    assert RULES.screening.management_share == 0.2


# what a study changes


def test_a_study_that_says_nothing_keeps_the_table() -> None:
    assert exposure_of(ExposureParams()) == RULES


def test_keys_of_a_study_take_the_place_of_those_of_the_table() -> None:
    """Single keys of known antennas; others are new and radiate all their power all the time."""
    given = ExposureParams.model_validate({
        "management_share": 0.5, "least_radius_m": 80.0, "taller_radius_m": 50.0, "storey_m": 4.0, "roof_loss_db": 0.0,
        "antennas": {"macro_64t": {"factor": 0.5}, "AAU": {"gain_dbi": 25.0}}})
    mine = EQUIPMENT.model_copy(update={"antennas": {**EQUIPMENT.antennas, "AAU": EQUIPMENT.antennas["macro_64t"]}})
    found = exposure_of(given, mine)
    changed = {"management_share", "least_radius_m", "taller_radius_m", "storey_m", "roof_loss_db"}
    assert found.screening.model_dump(include=changed) == given.model_dump(include=changed)
    assert found.screening.model_dump(exclude=changed) == RULES.screening.model_dump(exclude=changed)
    old, new = RULES.antennas["macro_64t"], found.antennas["macro_64t"]
    assert new == old.model_copy(update={"factor": 0.5, "source": new.source})
    assert (found.antennas["AAU"].factor, found.antennas["AAU"].gain_dbi) == (1.0, 25.0)
    assert {name: entry for name, entry in found.antennas.items() if name not in given.antennas} == {
        name: entry for name, entry in RULES.antennas.items() if name not in given.antennas}


def test_an_antenna_that_nobody_has_is_refused() -> None:
    """A misspelt name would leave the power as it was without a word."""
    with pytest.raises(ModelError, match="macro_64t"):
        exposure_of(ExposureParams.model_validate({"antennas": {"macro64t": {"factor": 0.5}}}))
    for wrong in ({"factor": 1.5}, {"factor": 0.0}, {"power": 1.0}):
        with pytest.raises(ValidationError):
            ExposureParams.model_validate({"antennas": {"macro_64t": wrong}})


def test_changed_rules_change_the_screening(flat: Surface) -> None:
    """Half the factor is half the exposure; a house higher than the antenna counts as far as the study says."""
    masts, houses = sectors(A_1=sector()), {"B": house(rect(540, 490, 560, 510), 30.0)}
    half = exposure_of(ExposureParams.model_validate({
        "management_share": 1.0, "taller_radius_m": 45.0,
        "antennas": {"macro_64t": {"factor": RULES.antennas["macro_64t"].factor / 2.0}}}))
    usual, changed = (only(screen(flat, masts, houses, params=rules)) for rules in (RULES, half))
    assert changed["share"] == pytest.approx(usual["share"] / 2.0)
    assert (bool(usual["taller_near"]), bool(changed["taller_near"])) == (False, True)
    assert (bool(usual["above_managed"]), bool(changed["above_managed"])) == (True, False)
    assert changed["managed_distance_m"] == pytest.approx(changed["limit_distance_m"])


def test_the_study_file_has_a_say(tmp_path: Path) -> None:
    """The plan is screened by the study's rules; an antenna that nobody has stops the study at once."""
    shapes(tmp_path / "buildings.gpkg", [rect(257, 245, 270, 265)], 编号=["B1"], 高度=[12.0], 建筑用途=["住宅"])
    layers = {**ground(tmp_path), **zones(tmp_path), **poles(tmp_path), "buildings": "buildings.gpkg"}
    mine = {"management_share": 0.5, "roof_loss_db": 3.0, "antennas": {"macro_64t": {"factor": 0.5}}}
    tables = {"selection": {"min_gain": 0.0, "max_yuan_per_gain": 1e9}, "exposure.antennas.macro_64t": {"factor": 0.5},
              "exposure": {"management_share": 0.5, "roof_loss_db": 3.0}}
    opened = study(tmp_path, layers, **tables)
    made = run(opened)
    assert made.exposure is not None
    assert made.exposure.rules == exposure_of(ExposureParams.model_validate(mine))
    text = opened.path.read_text(encoding="utf-8").replace("macro_64t", "macro64t")
    opened.path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match="macro_64t"):
        Study.from_toml(opened.path)


# which buildings are sensitive


def test_what_is_sensitive() -> None:
    shape = rect(0, 0, 10, 10)
    houses = {
        "home": house(shape), "office": house(shape, use="office"), "public": house(shape, use="public"),
        "factory": house(shape, use="industrial"), "shop": house(shape, use="commercial"),
        "other": house(shape, use="other"),
        "named": house(shape, use="public", name="城北中学教学楼"), "aged": house(shape, use="public", name="溪口镇敬老院"),
        "ward": house(shape, use="other", name="县人民医院住院楼"), "nursery": house(shape, use="public", name="朝阳幼儿园"),
        "toilet": house(shape, use="public", name="站前西路公共厕所")}
    found = sensitive_targets(table("buildings", houses), NO_VENUES)["target_class"].to_dict()
    assert found == {"home": "home", "office": "office", "public": "public", "factory": "factory", "named": "school",
                     "aged": "elderly_home", "ward": "hospital", "nursery": "kindergarten"}
    assert [key for key, entry in RULES.sensitive.items() if entry.justify] == ["kindergarten", "school", "hospital"]


def test_venues_belong_to_the_building_they_stand_in_or_near() -> None:
    """A clinic and a school in one house: the school counts. A park is no target. A hospital without footprint is a
    point with the height usual for its class."""
    houses = {"shop": house(rect(0, 0, 20, 20), 9.0, "commercial"),
              "far": house(rect(300, 0, 320, 20), 9.0, "commercial")}
    venues = {"C": {"geometry": at(5, 5), "name": "诊所", "venue_class": "private_clinic"},
              "S": {"geometry": at(45, 10), "name": "小学", "venue_class": "school"},
              "P": {"geometry": at(310, 10), "name": "公园", "venue_class": "park"},
              "H": {"geometry": at(400, 400), "name": "医院", "venue_class": "hospital"},
              "K": {"geometry": at(500, 400), "name": "幼儿园", "venue_class": "school", "roof_height_m": 7.5}}
    found = sensitive_targets(table("buildings", houses), table("facilities", venues))
    assert found["target_class"].to_dict() == {"shop": "school", "H": "hospital", "K": "kindergarten"}
    assert found.loc["shop", ["name", "height_m", "height_source"]].tolist() == ["小学", 9.0, "measured"]
    assert found["height_source"].tolist() == ["measured", "default", "measured"]
    assert found.loc["K", "height_m"] == 7.5
