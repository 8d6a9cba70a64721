"""An export in a zone far from the data is refused, and a zone that fits is named where there is one."""

from __future__ import annotations

import geopandas as gpd
import pytest
from shapely.geometry import Point

from siteplan.errors import ExportError
from siteplan.export.exchange.apply import apply_profile
from siteplan.export.master import PlanLayers
from siteplan.params import DeliverParams
from siteplan.profiles import Profile, ProfileField

PROFILE = Profile("a", "站址", "sites", "a", "Point", "BH",
                  (ProfileField("BH", "编号", "编号", "text", 9, source="site_id"),))


def plan(*lons: float) -> PlanLayers:
    """Sites at these longitudes, in CGCS2000 degrees."""
    names = [f"S{number}" for number in range(len(lons))]
    sites = gpd.GeoDataFrame({"site_id": names}, geometry=[Point(lon, 22.5) for lon in lons], crs=4490)
    return PlanLayers({"study": {"crs": "EPSG:4490"}}, {"sites": sites.set_index("site_id")})


@pytest.mark.parametrize(("crs", "lon", "named"), [("EPSG:4533", 113.4, True), ("EPSG:4547", 9.5, False)],
                         ids=["a zone fits", "no zone there"])
def test_a_zone_far_away_is_refused(crs: str, lon: float, named: bool) -> None:
    with pytest.raises(ExportError) as caught:
        apply_profile(plan(lon), PROFILE, DeliverParams(crs=crs))
    problem, = caught.value.problems
    assert (problem.row, problem.field) == ("S0", "geometry")
    assert f"经度 {lon:.3f}" in problem.reason
    assert ("宜用 EPSG:4547" in problem.remedy) == named
    assert ("宜用" in problem.remedy) == named


def test_the_next_zone_is_told_and_written() -> None:
    """0.9 degrees beyond the edge of zone 37."""
    layer, = apply_profile(plan(113.4), PROFILE, DeliverParams(crs="EPSG:4525"))
    assert any("适用范围" in change.reason for change in layer.adjustments)
    assert len(layer.table) == 1
