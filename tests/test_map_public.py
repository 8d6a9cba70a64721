"""The public variant of the review map: recomputed from its bytes that nothing internal and no exact place is in it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pyproj
import pytest
from map_plan import HOSTILE, make_plan, unpacked
from PIL import Image
from test_maps import SMALL, data_of

from siteplan.maps import MapOptions, render_review_map

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
STEP = 100.0
INTERNAL = ("INTERNAL-OWNER", "INTERNAL-NAME", "INTERNAL-REASON", "INTERNAL-EVIDENCE", "INTERNAL-ADDRESS", "SECRET")


@pytest.fixture(scope="module")
def plan() -> Any:
    made = make_plan(**SMALL)
    sites = made.sites.assign(
        owner="INTERNAL-OWNER 13800000000", name=[f"INTERNAL-NAME {k}" for k in range(len(made.sites))],
        reason="INTERNAL-REASON", choice_text="INTERNAL-REASON", evidence="INTERNAL-EVIDENCE",
        address="INTERNAL-ADDRESS")
    gaps = {name: getattr(made, name).assign(reason="INTERNAL-REASON", nearest_site="INTERNAL-NAME",
                                             venue_name="INTERNAL-NAME") for name in ("gaps_before", "gaps_after")}
    villages = made.villages.assign(reason_before="INTERNAL-REASON", reason_after="INTERNAL-REASON")
    return replace(made, sites=sites, villages=villages, **gaps)


@pytest.fixture(scope="module")
def public(plan: Any) -> str:
    return render_review_map(plan, MapOptions(public=True, public_step_m=STEP))


def test_the_internal_page_does_hold_them(plan: Any) -> None:
    page = render_review_map(plan)
    assert [word for word in INTERNAL[:-1] if word not in page] == []
    assert all(key in page for key in plan.sites.index)


def test_no_internal_text_is_in_the_bytes(plan: Any, public: str) -> None:
    assert [word for word in INTERNAL if word in public] == []
    assert [key for key in plan.sites.index if key in public] == []
    data = data_of(public)
    assert data["decisions"] is None
    assert data["projection"] is None
    gone = {"restricted", "works", "complaints", "hot_spots", "stretches", "indoor_buildings", "indoor_gaps", "poles",
            "units"}
    assert not gone & set(data["layers"])
    assert (data["layers"]["candidates"]["count"], data["layers"]["refused"]["count"]) == (0, 0)
    assert data["layers"]["existing"]["ticks"] == []
    assert {row["label"] for row in data["indicators"]} >= {"行政村达标", "人口覆盖率"}
    assert not {"免费开放场所", "投诉与模型对照", "县区排名"} & {row["label"] for row in data["indicators"]}
    assert [value for key, value in data["bound"].items() if key != "sites" and value] == []


def numbers(value: Any) -> Iterator[float]:
    """Every number of JSON."""
    if isinstance(value, float | int):
        yield float(value)
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from numbers(part)


def test_no_exact_place_is_in_the_page(plan: Any, public: str) -> None:
    data = data_of(public)
    existing, proposed = data["layers"]["existing"], data["layers"]["proposed"]["items"]
    shown = np.array([row[:2] for row in unpacked(existing)] + [item["at"] for item in proposed])
    to_study = pyproj.Transformer.from_crs("EPSG:4490", plan.study["crs"], always_xy=True)
    x, y = to_study.transform(shown[:, 1], shown[:, 0])
    for part in (x, y):
        assert np.abs(part - np.round(part / STEP) * STEP).max() < 0.2  # six decimals of a degree
    true = plan.sites[plan.sites["status"].isin(["existing", "proposed"])]
    away = [min(np.hypot(x - point.x, y - point.y)) for point in true.geometry]
    assert max(away) <= STEP / 2 ** 0.5 + 0.2
    assert np.mean(away) > STEP / 10
    degrees = plan.sites.geometry.to_crs("EPSG:4326")
    every = set(np.round(list(numbers(data["layers"])), 5)) | set(np.round(shown.ravel(), 5))
    exact = [(round(point.y, 5) in every, round(point.x, 5) in every) for point in degrees]
    assert not any(all(pair) for pair in exact)


def test_pictures_are_coarse_and_show_no_servers(plan: Any, public: str) -> None:
    pictures = data_of(public)["pictures"]
    assert set(pictures) == {"before", "after", "gained", "probability_before", "probability_after"}
    coarse = data_of(render_review_map(plan, MapOptions(public=True, public_step_m=500.0)))["pictures"]
    for step, found in ((STEP, pictures), (500.0, coarse)):
        for picture in found.values():
            width, height = Image.open(BytesIO(base64.b64decode(picture["uri"].split(",")[1]))).size
            (south, west), (north, east) = picture["bounds"]
            metres = (north - south) * 110_700 / height, (east - west) * 111_320 * np.cos(np.radians(north)) / width
            assert min(metres) >= step * 0.995


def test_gap_outlines_lie_on_the_rounding_grid(plan: Any, public: str) -> None:
    to_study = pyproj.Transformer.from_crs("EPSG:4490", plan.study["crs"], always_xy=True)
    corners = [corner for item in data_of(public)["layers"]["gaps_after"]["items"]
               for part in re.findall(r"\[(\d+\.\d+), (\d+\.\d+)\]", json.dumps(item["shape"])) for corner in [part]]
    assert corners
    tiny = plan.gaps_after.iloc[:1].set_geometry(plan.gaps_after.geometry.iloc[:1].centroid.buffer(10))
    small = data_of(render_review_map(replace(plan, gaps_after=tiny), MapOptions(public=True, public_step_m=STEP)))
    assert len(small["layers"]["gaps_after"]["items"]) == 1  # one that is smaller than a cell of the grid stays
    x, y = to_study.transform(*np.array(corners, float).T)
    for part in (x, y):
        assert np.abs(part - np.round(part / STEP) * STEP).max() < 1.0  # five decimals of a degree


def test_public_page_says_so(plan: Any, public: str) -> None:
    data = data_of(public)
    assert data["public"] is True
    assert data["step_m"] == STEP
    title = dict(data["title"])
    assert (title["版本"], title["密级"], title["审图号"]) == ("公众版", "公开(须经审图)", "粤S(2026)000号")
    assert data["layers"]["reasons"] == [["", "公众版不列原因"]]  # they were analysed: "原因未分析" is untrue
    assert {item["look"] for item in data["layers"]["gaps_after"]["items"]} == {""}
    assert "原因未分析" not in public.split('id="siteplan-data"')[1]
    assert "公众版" in data["badges"]
    assert "无审图号,不得公开发布" not in data["badges"]
    missing = replace(plan, study={**plan.study, "map_approval_no": ""})
    told = data_of(render_review_map(missing, MapOptions(public=True)))
    assert "无审图号,不得公开发布" in told["badges"]
    title = dict(told["title"])
    assert (title["审图号"], title["版本"], title["密级"]) == ("无审图号,不得公开发布", "公众版", "未经审核,不得公开发布")
    english = dict(data_of(render_review_map(missing, MapOptions(public=True, language="en")))["title"])
    assert (english["Version"], english["Marking"]) == ("Public version", "Not approved: must not be published")


def test_hostile_names_and_english_go_public_as_well() -> None:
    made = make_plan(**SMALL, hostile=True)
    page = render_review_map(made, MapOptions(public=True, language="en"))
    blob = page.split('id="siteplan-data">')[1].split("</script>", maxsplit=1)[0]
    assert not set("<>$`\u2028\u2029") & set(blob)
    data = data_of(page)
    assert {item["title"] for item in data["layers"]["villages"]["items"]} <= set(HOSTILE)
    assert data["layers"]["proposed"]["fields"] == ["Site type", "Tier", "Town", "Newly covered"]
    assert {row["label"] for row in data["indicators"]} >= {"Villages that pass", "Covered population"}
