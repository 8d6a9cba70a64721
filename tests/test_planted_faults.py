"""Every fault planted in the sample city is found: the ledger has a line that names the row and the field."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from siteplan.layers import Layers
from siteplan.plan import Plan
from tests.sample_run import SampleRun

XIKOU = Path(__file__).parents[1] / "data" / "xikou"
FIELDS = {"geometry": "geometry", "高度": "height_m", "层数": "storeys", "建筑编号": "building_id", "挂高(m)": "antenna_height_m",
          "方位角": "azimuth_deg", "经度/纬度": "geometry", "发射功率(W)": "power_w", "制式": "technology",
          "小区编号": "sector_id", "杆高": "height_m", "杆号": "pole_id", "租用日期": "lease_date", "经度": "geometry",
          "权属单位": "owner", "设施类型": "venue_class", "运营商": "operators", "取值": "value", "站址编号": "id",
          "决定": "action", "名称": "name", "人口": "people", "RSRP": "rsrp_dbm", "受理日期": "date", "户数": "households",
          "卫生室": "clinic"}
FAULTS = pd.read_csv(XIKOU / "planted_faults.csv", encoding="utf-8-sig")


@pytest.fixture(scope="module")
def city(sample_run: SampleRun) -> tuple[Layers, Plan]:
    return sample_run.layers, sample_run.plan


@pytest.mark.parametrize("fault", list(FAULTS.itertuples(index=False)), ids=lambda f: f"{f.layer}-{f.key}-{f.field}")
def test_fault_is_in_the_ledger(city: tuple[Layers, Plan], fault: object) -> None:
    layers, plan = city
    kept = layers.table(fault.layer)
    rows = {str(fault.key)}
    if fault.key in kept.index:
        rows.add(kept.loc[fault.key, "source_row"])
    if "id" in kept:
        rows |= set(kept.loc[kept["id"] == fault.key, "source_row"])
    lines = [line for line in plan.ledger if line.layer == fault.layer and line.field == FIELDS[fault.field]]
    exact = [line for line in lines if rows & set(re.split("[:、]", line.row)) or fault.key in line.value.split("、")]
    refused = [line for line in lines if line.action == "refused" and fault.key not in kept.index]
    gathered = [line for line in lines if line.row.startswith("共") and line.action == "assumed"]
    assert exact or refused or gathered, f"{fault.layer} {fault.key} {fault.field}: {fault.fault}"
    assert all(line.reason and line.remedy for line in lines)


def test_refused_rows_are_the_planted_ones(city: tuple[Layers, Plan]) -> None:
    """Rows the sample loses: duplicates, no place, impossible people or signal - and nothing else."""
    layers, _ = city
    lost = {file.layer: 0 for file in layers.files}
    for file in layers.files:
        lost[file.layer] += file.rows_refused
    assert {layer: count for layer, count in lost.items() if count} == {
        "buildings": 2, "stations": 1, "poles": 1, "population": 1, "measurements": 2}
