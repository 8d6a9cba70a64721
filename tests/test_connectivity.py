"""4G and fibre of villages: reported before predicted or mapped, unknown kept unknown, disagreement told."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, at, rect, table
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString
from shapely.geometry import Point

from siteplan import gaps
from siteplan.errors import ModelError
from siteplan.gaps.progress.connectivity import connectivity, count_connectivity, resettlement_zones

WITHIN_M = 100.0
STATES = st.sampled_from([True, False, None])
VERDICTS = st.sampled_from(["pass", "fail", "not_assessable", None])


def villages(*rows: tuple[bool | None, bool | None], town: str = "甲镇") -> gpd.GeoDataFrame:
    """Squares of 50 m side by side, 100 m apart, with what is reported of 4G and fibre."""
    return table("villages", {f"V{k}": {"name": f"{k}村", "town": town, "county": "东县", "has_4g": a, "has_fibre": b,
                                        "geometry": rect(100 * k, 0, 100 * k + 50, 50)}
                              for k, (a, b) in enumerate(rows)})


def committee(code: str, place: Point | None, *, exists: bool = True) -> gpd.GeoDataFrame:
    return table("village_points", {"P": {"village_code": code, "kind": "committee", "exists": exists,
                                          "geometry": place}})


def cable(*ends: tuple[float, float]) -> gpd.GeoDataFrame:
    line = LineString([at(*end) for end in ends]) if ends else LineString()
    return table("fibre", {"L": {"geometry": line}})


def judge(told_4g: bool | None = None, told_fibre: bool | None = None, verdict: str | None = None,
          fibre: gpd.GeoDataFrame | None = None, points: gpd.GeoDataFrame | None = None, **options: bool) -> pd.Series:
    verdicts = None if verdict is None else pd.Series([verdict], ["V0"])
    return connectivity(villages((told_4g, told_fibre)), points, verdicts, fibre, WITHIN_M, **options).loc["V0"]


@pytest.mark.parametrize(("told", "verdict", "state", "source", "conflict"), [
    (True, None, "yes", "reported", False), (False, None, "no", "reported", False),
    (True, "pass", "yes", "reported", False), (True, "fail", "yes", "reported", True),
    (False, "pass", "no", "reported", True), (False, "not_assessable", "no", "reported", False),
    (None, "pass", "yes", "predicted", False), (None, "fail", "no", "predicted", False),
    (None, "not_assessable", "unknown", "unknown", False), (None, None, "unknown", "unknown", False)])
def test_reported_4g_counts_before_the_prediction(told: bool | None, verdict: str | None, state: str, source: str,
                                                  conflict: bool) -> None:
    found = judge(told, verdict=verdict)
    assert (found["has_4g"], found["source_4g"], found["conflict_4g"]) == (state, source, conflict)
    names_rule = "village_4g_2018" in found["reason_4g"]
    assert names_rule == (verdict is not None and (told is None or conflict)), "a predicted state names its rule"


def test_absent_fibre_layer_is_unknown_and_never_no() -> None:
    for fibre in (None, table("fibre", {}), cable()):
        for complete in (False, True):
            found = judge(fibre=fibre, complete=complete)
            assert (found["has_fibre"], found["source_fibre"]) == ("unknown", "unknown")
            assert np.isnan(found["fibre_m"])
            assert "不能判断" in found["reason_fibre"]


@pytest.mark.parametrize(("north", "complete", "state", "source"), [
    (125.0, False, "yes", "mapped"), (125.1, False, "unknown", "unknown"), (125.1, True, "no", "mapped")])
def test_line_near_the_committee_is_fibre(north: float, complete: bool, state: str, source: str) -> None:
    """The committee stands at 25 m north: a line at 125 m is 100 m away, just near enough."""
    found = judge(fibre=cable((0, north), (50, north)), points=committee("V0", at(25, 25)), complete=complete)
    assert (found["has_fibre"], found["source_fibre"], found["fibre_from"]) == (state, source, "committee")
    assert found["fibre_m"] == pytest.approx(north - 25.0)


@pytest.mark.parametrize("points", [None, committee("V0", None), committee("V0", None, exists=False),
                                    committee("V9", at(25, 25))], ids=["none", "no place", "has none", "other village"])
def test_without_a_committee_the_polygon_counts(points: gpd.GeoDataFrame | None) -> None:
    found = judge(fibre=cable((0, 130), (50, 130)), points=points)
    assert (found["has_fibre"], found["fibre_from"], found["fibre_m"]) == ("yes", "area", pytest.approx(80.0))


def test_trunk_that_only_passes_is_told() -> None:
    found = judge(told_fibre=False, fibre=cable((0, 25), (50, 25)), points=committee("V0", at(25, 30)))
    assert (found["has_fibre"], found["source_fibre"], found["conflict_fibre"]) == ("no", "reported", True)
    assert "距村委会5米处有光缆,可能只是过境" in found["reason_fibre"]


def test_report_without_a_line_is_doubted_only_where_the_layer_is_whole() -> None:
    far = cable((0, 900), (50, 900))
    assert not judge(told_fibre=True, fibre=far)["conflict_fibre"]
    found = judge(told_fibre=True, fibre=far, complete=True)
    assert (found["has_fibre"], found["conflict_fibre"]) == ("yes", True)


def test_area_without_geometry_or_columns_is_unknown() -> None:
    bare = gpd.GeoDataFrame({"name": ["甲"]}, geometry=[None], index=["A"], crs=CRS)
    found = connectivity(bare, None, pd.Series(["pass"], ["B"]), cable((0, 0), (1, 1)), WITHIN_M).loc["A"]
    assert (found["has_4g"], found["has_fibre"], found["fibre_from"]) == ("unknown", "unknown", "")


def test_resettlement_zones_are_judged_alike() -> None:
    zones = table("zones", {
        "Z1": {"zone_type": "易地扶贫搬迁安置点", "has_4g": None, "has_fibre": True, "geometry": rect(0, 0, 50, 50)},
        "Z2": {"zone_type": "产业园区", "geometry": rect(60, 0, 90, 50)}, "Z3": {"geometry": rect(95, 0, 99, 50)}})
    chosen = resettlement_zones(zones)
    assert list(chosen.index) == ["Z1"]
    found = connectivity(chosen, None, pd.Series(["pass", "fail"], ["Z1", "Z2"]), None, WITHIN_M,
                         rule_4g="area_share_4g").loc["Z1"]
    assert (found["has_4g"], found["rule_4g"], found["has_fibre"]) == ("yes", "area_share_4g", "yes")


def test_counts_by_town_worked_by_hand() -> None:
    """甲镇: yes reported, yes predicted, no; 乙镇: unknown. Fibre: two reported yes, one no, one unknown."""
    first = villages((True, True), (None, True), (False, False))
    second = villages((None, None), town="乙镇").rename(index={"V0": "W0"})
    areas = pd.concat([first, second])
    judged = connectivity(areas, None, pd.Series(["fail", "pass", "fail"], ["V0", "V1", "V2"]), None, WITHIN_M)
    towns = count_connectivity(judged, "town").set_index("town")
    assert towns.loc["甲镇", ["total", "yes_4g", "predicted_yes_4g", "no_4g", "unknown_4g", "conflict_4g"]].tolist() == [
        3, 2, 1, 1, 0, 1]
    assert towns.loc["乙镇", ["yes_4g", "no_4g", "unknown_4g"]].tolist() == [0, 0, 1]
    city = count_connectivity(judged).iloc[0]
    assert (city["rate_4g"], city["rate_4g_at_most"]) == (0.5, 0.75)
    assert (city["rate_fibre"], city["rate_fibre_at_most"]) == (0.5, 0.75)
    assert city["sentence"] == ("4个行政村:2个已通4G(上报1、预测1)、1个未通、1个无资料、1个上报与预测不一致;"
                                "2个已通光纤(上报2、光缆图层0)、1个未通、1个无资料")


def test_no_villages_is_no_rate() -> None:
    nothing = connectivity(villages(), None, None, None, WITHIN_M)
    assert count_connectivity(nothing)["rate_4g"].isna().all()
    assert count_connectivity(nothing, "town").empty


@given(st.lists(st.tuples(STATES, STATES, VERDICTS), min_size=1, max_size=8), st.booleans())
def test_counts_add_up_and_reports_always_stand(rows: list[tuple[bool | None, bool | None, str | None]],
                                                complete: bool) -> None:
    areas = villages(*[(a, b) for a, b, _ in rows])
    before = areas.copy(deep=True)
    verdicts = pd.Series([verdict for *_, verdict in rows], areas.index, dtype="object")
    judged = connectivity(areas, None, verdicts, cable((0, 60), (150, 60)), WITHIN_M, complete=complete)
    pd.testing.assert_frame_equal(areas, before)
    for short, told in (("4g", areas["has_4g"]), ("fibre", areas["has_fibre"])):
        reported = judged[f"source_{short}"] == "reported"
        assert (reported == told.notna()).all()
        assert (judged.loc[reported, f"has_{short}"] == told[reported].map({True: "yes", False: "no"})).all()
        count = count_connectivity(judged).iloc[0]
        assert count[f"yes_{short}"] + count[f"no_{short}"] + count[f"unknown_{short}"] == len(rows)
        assert count[f"rate_{short}"] <= count[f"rate_{short}_at_most"]
    towns = count_connectivity(judged, "town")
    assert towns["total"].sum() == len(rows)


def test_what_cannot_be_judged_is_refused() -> None:
    areas = villages((None, None))
    for call in (lambda: connectivity(pd.concat([areas, areas]), None, None, None, WITHIN_M),
                 lambda: connectivity(areas, None, None, cable((0, 0), (1, 1)).to_crs(4490), WITHIN_M),
                 lambda: connectivity(areas, None, None, None, -1.0),
                 lambda: count_connectivity(connectivity(areas, None, None, None, WITHIN_M), "country")):
        with pytest.raises(ModelError):
            call()


def test_rule_named_by_default_is_one_of_the_table() -> None:
    assert gaps.rule_named("village_4g_2018").technology == "4G"
