"""The real traps of the received layers are found by the program, with nothing declared in the study file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from siteplan.layers import Layers, file_verdicts
from siteplan.layers.verdicts import DOUBT
from siteplan.study import Study, check_layers
from tests.longer import only_with

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(scope="module")
def chengdu() -> Layers:
    if not (DATA.parents[1] / "shared" / "data" / "chengdu").exists():
        pytest.skip("../shared/data/chengdu is absent")
    return check_layers(Study.from_toml(DATA / "chengdu" / "as_received.toml"))


def told(layers: Layers, layer: str, file: str) -> list[str]:
    return [f"{line.field}: {line.reason} {line.remedy}" for line in layers.ledger
            if line.layer == layer and line.file.endswith(file)]


def doubted(layers: Layers) -> set[str]:
    return {verdict.file.rsplit("/", 1)[-1] for verdict in file_verdicts(layers) if verdict.word == DOUBT}


def test_nothing_about_the_traps_stands_in_the_study_file() -> None:
    lines = (DATA / "chengdu" / "as_received.toml").read_text("utf-8").splitlines()
    text = "\n".join(line.split("#")[0] for line in lines)
    assert not any(word in text for word in ("datum", "shift_m", "towgs84", "gcj02", "nodata ="))


def test_only_the_hotels_and_the_clutter_are_in_doubt(chengdu: Layers) -> None:
    assert doubted(chengdu) == {"hotel_facilities_filtered.csv", "clutter_index_5m.tif"}


def test_hotels_are_gcj02(chengdu: Layers) -> None:
    hotels, = [one for one in chengdu.alignments if one.file.endswith("hotel_facilities_filtered.csv")]
    assert hotels.verdict == "gcj02"
    assert hotels.share_gcj02 > hotels.share_here + 0.15  # measured apart: 43.6 % against 27.3 %
    assert (hotels.east_m, hotels.north_m) == pytest.approx((-230, 270), abs=30)
    assert any('datum = "gcj02"' in line for line in told(chengdu, "facilities", "hotel_facilities_filtered.csv"))


def test_clutter_lies_too_far_north(chengdu: Layers) -> None:
    clutter, = [one for one in chengdu.alignments if one.layer == "clutter"]
    assert clutter.verdict == "shifted"
    assert clutter.east_m == pytest.approx(0, abs=12)
    assert -65 <= clutter.north_m <= -50  # 55 to 60 m too far north
    assert any("shift_m" in line for line in told(chengdu, "clutter", "clutter_index_5m.tif"))


def test_schools_and_parks_stay_where_they_are(chengdu: Layers) -> None:
    fits, = [one for one in chengdu.alignments if one.file.endswith("supply_facilities_CLEAN.csv")]
    assert fits.verdict == "fits"


def test_cells_of_height_zero_are_told_row_by_row(chengdu: Layers) -> None:
    lines = [line for line in chengdu.ledger if line.layer == "stations" and line.field == "antenna_height_m"
             and line.action == "repaired" and line.value == "0"]
    assert len({line.row for line in lines}) == 124
    assert chengdu.table("stations")["antenna_height_m"].notna().all()


def test_the_ground_spike_and_tall_buildings_are_told(chengdu: Layers) -> None:
    assert any("孤立" in line or "尖" in line for line in told(chengdu, "ground", "altitude_m_5m.tif"))
    assert any("300 m" in line for line in told(chengdu, "heights", "building_height_m_5m.tif"))


@only_with("cities", "all of Chengdu read once more")
def test_the_declared_study_is_free_of_doubt(shared: Callable[[str], Path]) -> None:
    """The same layers with what was found declared: nothing is suspected any more."""
    shared("data/chengdu")
    layers = check_layers(Study.from_toml(DATA / "chengdu" / "study.toml"))
    assert layers.problems == ()
    assert doubted(layers) == set()
    moved, = [one for one in layers.alignments if one.layer == "clutter"]
    assert moved.share_here > 0.8


@pytest.mark.parametrize("city", ["xikou", "liechtenstein"])
def test_good_studies_raise_no_doubt(city: str, shared: Callable[[str], Path]) -> None:
    if city == "liechtenstein":
        shared("data/liechtenstein")
    assert doubted(check_layers(Study.from_toml(DATA / city / "study.toml"))) == set()
