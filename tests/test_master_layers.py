"""Master layers: what a plan gives and what its folder gives back are the same, value by value."""

from __future__ import annotations

import dataclasses
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from conftest import CRS, at, rect
from master_town import FORMULA, RARE, town_plan

from siteplan.errors import ExportError
from siteplan.export import write_plan
from siteplan.export._plan import _write_layers
from siteplan.export.master import PlanLayers, plan_layers, read_plan_layers
from siteplan.export.master.plan_facts import facts_text
from siteplan.export.master.plan_layers import FILES, plain
from siteplan.params import DeliverParams
from siteplan.plan import Plan
from siteplan.tables import read_table

LONG = "长" * 300
SECTIONS = {"sites": ("sites",), "all_sites": ("all_sites", "sites"), "villages": ("villages",), "zones": ("zones",),
            "gaps": ("gaps",), "gaps_before": ("gaps",), "indoor_gaps": ("gaps",), "units": ("units",)}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return town_plan(tmp_path_factory.mktemp("town"), secret="保密楼", study={"as_of": "2026-01-01", "synthetic": True},
                     selection={"max_sites": 3}, **{"selection.phases": {"years": [2026, 2027]}})


@pytest.fixture(scope="module")
def folder(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    write_plan(plan, out)
    return out


def same(one: PlanLayers, other: PlanLayers) -> None:
    assert list(one.layers) == list(other.layers)
    for name, table in one.layers.items():
        read = other.layers[name]
        pd.testing.assert_frame_equal(pd.DataFrame(table), pd.DataFrame(read), obj=name)
        assert table.geometry.name == read.geometry.name == "geometry"
        assert table.crs == read.crs, name
    assert {**one.facts, "timings": 0} == {**other.facts, "timings": 0}


def test_folder_gives_back_what_the_plan_gives(plan: Plan, folder: Path) -> None:
    made = plan_layers(plan)
    same(made, read_plan_layers(folder))
    assert {"sites", "all_sites", "gaps", "gaps_before", "boundary", "villages", "zones", "units", "towns", "counties",
            "roads", "works", "planned_buildings"} <= set(made.layers) <= set(FILES)
    assert "water" not in made.layers
    assert len(made.layers["sites"]) == len(plan.proposed) > 0


def test_a_plan_of_odd_words_and_numbers_comes_back(plan: Plan, tmp_path: Path) -> None:
    """Nothing is cut, whatever it says: formulas, quotes, line ends, letters outside of GBK, no value, infinity."""
    words = [FORMULA, RARE, LONG, "两\n行\t", "", None, "../../x", "'"]
    odd = dataclasses.replace(
        plan, sites=plan.sites.assign(name=(words * len(plan.sites))[:len(plan.sites)], owner=LONG,
                                      power_m=np.inf, reason="短…", choice_text="短" + LONG),
        villages=plan.villages.assign(name=words[4:6], people=[-np.inf, 1e300], town=words[1:3]),
        zones=plan.zones.assign(grade=pd.array([None], dtype="Int64"), town=pd.array([True], dtype="boolean")))
    write_master_files(odd, tmp_path)
    made = plan_layers(odd)
    same(made, read_plan_layers(tmp_path))
    assert made.layers["sites"]["owner"].tolist() == [LONG] * len(plan.proposed)
    assert made.layers["sites"]["reason"].tolist() == ["短" + LONG] * len(plan.proposed)
    assert np.isinf(made.layers["sites"]["power_m"]).all()


def write_master_files(plan: Plan, out: Path) -> None:
    """The GeoPackages and ``plan.json`` alone."""
    made = plan_layers(plan)
    for file in {file for file, _, _ in FILES.values()}:
        _write_layers(made, out / file)
    (out / "plan.json").write_text(facts_text(plan), encoding="utf-8")


def test_empty_tables_keep_their_columns_and_absent_layers_stay_absent(plan: Plan, tmp_path: Path) -> None:
    none = dataclasses.replace(plan, sites=plan.sites[plan.sites["status"] != "proposed"], context={},
                               gaps_after=plan.gaps_after.iloc[:0], gaps_before=plan.gaps_before.iloc[:0])
    write_master_files(none, tmp_path)
    read = read_plan_layers(tmp_path)
    assert list(read.layers["sites"].columns) == list(plan_layers(plan).layers["sites"].columns)
    assert len(read.layers["sites"]) == len(read.layers["gaps"]) == 0
    assert {"units", "towns", "roads"}.isdisjoint(read.layers)
    assert list(read.layers) == list(plan_layers(none).layers)


def test_secret_units_are_in_no_layer(plan: Plan) -> None:
    """The planned building 保密楼 is secret: neither its candidate nor its footprint is named or placed."""
    assert "保密楼" in set(plan.context["planned_buildings"]["name"])
    made = plan_layers(plan)
    text = json.dumps(made.facts, ensure_ascii=False) + "".join(
        pd.DataFrame(table.drop(columns="geometry")).reset_index().to_csv() for table in made.layers.values())
    assert "保密楼" not in text
    assert "N-planned:N2" not in text
    assert made.layers["planned_buildings"]["project_id"].tolist() == ["N1"]
    place = rect(600, 800, 640, 840)
    for name, table in made.layers.items():
        points = table[table.geom_type == "Point"].geometry
        assert not points.within(place).any(), name
    hidden = made.layers["all_sites"].loc["secret:1"]
    assert hidden["name"] == "涉密单位(不列名)"
    assert hidden.geometry is None
    assert (hidden["county_code"], hidden["conflicts"], hidden["land_use_name"]) == ("", "", "")


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_column_has_a_title_and_its_type(folder: Path, name: str) -> None:
    table = read_plan_layers(folder).layers.get(name)
    if table is None:
        pytest.skip(f"the town has no layer {name}")
    sections = read_table("export_fields")
    known = {column: entry for section in SECTIONS[name] for column, entry in sections[section].items()}
    flat = table.drop(columns="geometry").reset_index()
    assert [column for column in flat if column not in known] == []
    kinds = {"text": "str", "int": "int64", "float": "float64"}
    wrong = [column for column in flat if str(flat[column].dtype) != kinds[known[column]["type"]]
             and flat[column].notna().any()]
    whole = [column for column in wrong if known[column]["type"] == "int" and flat[column].isna().any()
             and (flat[column].dropna() % 1 == 0).all()]
    assert [column for column in wrong if column not in whole] == [], "whole numbers are float64 where some are missing"
    assert all(entry["zh"] and (entry["type"] != "float" or "decimals" in entry) for entry in known.values())
    if name in ("sites", "villages", "units"):
        optional = {"committee", "school", "clinic", "settlement", "has_4g", "has_fibre"}
        assert set(known) - set(flat.columns) <= optional


def test_sites_are_the_same_in_both_layers(folder: Path) -> None:
    """``candidates.gpkg`` says of a chosen site what ``sites.gpkg`` says, but for the notices."""
    layers = read_plan_layers(folder).layers
    sites, every = layers["sites"].drop(columns="notice"), layers["all_sites"]
    same = pd.DataFrame(every.loc[sites.index, sites.columns]).astype({"build_year": sites["build_year"].dtype})
    pd.testing.assert_frame_equal(pd.DataFrame(sites), same)
    assert every.loc[every["status"] != "proposed", "build_year"].isna().all(), "no year is no number"
    assert set(sites["phase"]) == {"近期"}
    assert sites["version"].nunique() == every["version"].nunique() == 1


# folders that cannot be used, or only in part


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    out = tmp_path / "copy"
    out.mkdir()
    for name in {file for file, _, _ in FILES.values()} | {"plan.json"}:
        shutil.copy(folder / name, out / name)
    return out


def faults(folder: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(ExportError, match="不能使用") as caught:
        read_plan_layers(folder)
    assert all(problem.reason and problem.remedy for problem in caught.value.problems)
    return [(problem.layer, problem.file, problem.field) for problem in caught.value.problems]


def rewrite(folder: Path, name: str, change: Any) -> None:
    """One layer of a folder with a change."""
    file, layer, _ = FILES[name]
    others = {row[0]: gpd.read_file(folder / file, layer=row[0]) for row in pyogrio.list_layers(folder / file)}
    others[layer] = change(others[layer])
    (folder / file).unlink()
    for number, (found, table) in enumerate(others.items()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a layer without CRS is written is the point
            pyogrio.write_dataframe(table, folder / file, layer=found, append=number > 0)


@pytest.mark.parametrize("file", ["sites.gpkg", "areas.gpkg", "gaps.gpkg"])
@pytest.mark.parametrize("how", [lambda raw: b"", lambda raw: b"not a database" * 99,
                                 lambda raw: raw[:100] + b"\xff" * (len(raw) - 100)], ids=["empty", "text", "damaged"])
def test_a_damaged_geopackage_is_named(copy: Path, file: str, how: Any) -> None:
    (copy / file).write_bytes(how((copy / file).read_bytes()))
    assert {found[1] for found in faults(copy)} == {file}


def test_every_fault_is_told_at_once(copy: Path) -> None:
    (copy / "plan.json").write_text("{", encoding="utf-8")
    (copy / "candidates.gpkg").unlink()
    rewrite(copy, "sites", lambda table: table.drop(columns=["kind", "site_id"]))
    rewrite(copy, "villages", lambda table: table.assign(village_code="V"))
    rewrite(copy, "units", lambda table: table.assign(unit_code=["U", None, None]))
    assert faults(copy) == [("plan", "plan.json", ""), ("sites", "sites.gpkg", "site_id"),
                            ("sites", "sites.gpkg", "kind"), ("all_sites", "candidates.gpkg", ""),
                            ("villages", "areas.gpkg", "village_code"), ("units", "areas.gpkg", "unit_code")]


@pytest.mark.parametrize("change", [
    lambda table: table.to_crs(4549), lambda table: table.set_crs(None, allow_override=True),
    lambda table: pd.DataFrame(table.drop(columns="geometry"))], ids=["other crs", "no crs", "no geometry"])
def test_layers_without_the_crs_of_the_sites(copy: Path, change: Any) -> None:
    rewrite(copy, "zones", change)
    assert [found[:2] for found in faults(copy)] == [("zones", "areas.gpkg")]


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"study": {}, "parameters": []}', "\ufeff{", "NaN"])
def test_a_plan_json_of_another_kind(copy: Path, text: str) -> None:
    (copy / "plan.json").write_text(text, encoding="utf-8")
    assert {found[:2] for found in faults(copy)} == {("plan", "plan.json")}


def test_a_folder_of_an_earlier_version(copy: Path) -> None:
    """Neither settings of deliverables nor the later columns and layers: it is read, the settings are the defaults."""
    facts = json.loads((copy / "plan.json").read_text(encoding="utf-8"))
    own = facts["parameters"].pop("deliver", None)
    assert own == DeliverParams().model_dump(mode="json")
    (copy / "plan.json").write_text(json.dumps(facts), encoding="utf-8")
    rewrite(copy, "sites", lambda table: table.drop(columns=["conflicts", "version", "phase"]))
    (copy / "areas.gpkg").unlink()
    read = read_plan_layers(copy)
    assert read.facts["parameters"]["deliver"] == DeliverParams().model_dump(mode="json")
    assert "phase" not in read.layers["sites"]
    assert "villages" not in read.layers


def test_an_empty_folder(tmp_path: Path) -> None:
    assert faults(tmp_path / "nowhere") == [("plan", "plan.json", ""), ("sites", "sites.gpkg", ""),
                                            ("all_sites", "candidates.gpkg", "")]


def test_plain_types() -> None:
    """Every column in the type that a GeoPackage gives back."""
    table = gpd.GeoDataFrame({
        "text": ["a", None], "object": [None, "b"], "truth": pd.array([True, None], dtype="boolean"),
        "objects": np.array([True, None], dtype=object), "sure": [True, False],
        "int": pd.array([1, None], dtype="Int64"), "small": np.array([1, 2], np.int16),
        "single": np.array([0.1, np.nan], np.float32), "day": pd.to_datetime(["2026-01-01", None]),
        "nothing": [None, None]}, geometry=[at(0, 0), None], crs=CRS, index=pd.Index(["x", "y"], name="id"))
    made = plain(table, "id")
    assert made.drop(columns="geometry").dtypes.astype("str").to_dict() == {
        "text": "str", "object": "str", "truth": "boolean", "objects": "boolean", "sure": "bool", "int": "float64",
        "small": "int64", "single": "float64", "day": "datetime64[ms]", "nothing": "str"}
    assert made["single"].iloc[0] == np.float64(np.float32(0.1))
    assert (made.index.name, made.index.tolist()) == ("id", ["x", "y"])
    assert plain(table).columns[0] == "id"
