"""Which candidates the list of the cheapest villages looks at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import geopandas as gpd
import pandas as pd
import pytest
from conftest import CRS, X0, Y0

from siteplan.params import CoverageParams
from siteplan.study._cheapest import _near_asked, _one_per_venue
from siteplan.study._scene import Scene
from siteplan.surface import Surface

IDS = {"V": "V-facility:F1", "G": "G-ground:F1", "R": "R-station:F1", "B": "B-building:F1"}


def sites(**columns: Any) -> gpd.GeoDataFrame:
    """The roof and the land of a school, a mast and a house of the same number."""
    base = {"cost_yuan": [3.0, 2.0, 1.0, 9.0], "kind": "macro"}
    return gpd.GeoDataFrame({**base, **columns}, geometry=gpd.points_from_xy([X0] * 4, [Y0] * 4), crs=CRS,
                            index=list(IDS.values()))


@pytest.mark.parametrize(("cost", "helping", "kept"), [
    ([3.0, 2.0, 1.0, 9.0], "VGRB", "GRB"),   # the land is cheaper than the roof
    ([2.0, 2.0, 1.0, 9.0], "VGRB", "GRB"),   # equal: the first by id
    ([1.0, 2.0, 1.0, 9.0], "VGRB", "VRB"),
    ([1.0, 2.0, 1.0, 9.0], "GB", "GB")])     # the roof helps nobody, so the land stays
def test_of_the_alternatives_of_a_venue_the_cheaper_one_that_helps_is_tried(cost: list[float], helping: str,
                                                                            kept: str) -> None:
    helps = pd.DataFrame({"village_id": "v1", "site_id": [IDS[key] for key in helping], "gain": 0.5})
    assert _one_per_venue(helps, sites(cost_yuan=cost))["site_id"].tolist() == [IDS[key] for key in kept]


def test_candidates_out_of_range_of_every_asked_pixel_are_not_tried(flat: Surface) -> None:
    """The asked pixel's centre is 5 m from the corner; two pixels of 10 m are allowed for rounding."""
    scene = cast(Scene, SimpleNamespace(surface=flat, params=SimpleNamespace(
        coverage=CoverageParams(max_range_m=500.0, micro_range_m=100.0))))
    tried = pd.DataFrame({"row": [99], "col": [0]})
    places = sites(kind=["macro", "macro", "micro", "micro"])
    places = places.set_geometry(gpd.points_from_xy([X0 + 500, X0 + 540, X0 + 90, X0 + 140], [Y0 + 5] * 4, crs=CRS))
    assert _near_asked(scene, tried, places).tolist() == [True, False, True, False]
