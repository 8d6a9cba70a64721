"""The register's file is a GeoPackage: GDAL and QGIS read every table, and what they add does not break writing."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pyogrio
import pytest
import shapely

from siteplan.register import Register, add_rows, check_seals, edit_rows, read_rows, register_tables, writing
from tests.registers import stamp, toy_register


@pytest.fixture
def filled(tmp_path: Path) -> Register:
    register = toy_register(tmp_path / "register.gpkg")
    with writing(register, stamp("2026-02-01")) as transaction:
        ids = add_rows(transaction, "sites", [{
            "name": f"站{number}", "state": "储备", "geometry": shapely.Point(number, 5)} for number in range(3)])
        line = shapely.LineString([(0, 0), (3, 4)])
        add_rows(transaction, "links", [{"site_id": ids[0], "geometry": line, "length_m": 5}])
    return register


def path_of(register: Register) -> Path:
    assert register.place.path is not None
    return register.place.path


def test_pyogrio_reads_every_table_with_chinese(filled: Register) -> None:
    layers = dict(pyogrio.list_layers(path_of(filled)))
    assert set(layers) == {*register_tables(), "events"}
    assert layers["sites"] == "Point"
    sites = pyogrio.read_dataframe(path_of(filled), layer="sites")
    assert sites["name"].tolist() == ["站0", "站1", "站2"]
    assert sites.crs.to_epsg() == 4547
    assert sites.geometry.tolist() == [shapely.Point(number, 5) for number in range(3)]
    assert pyogrio.read_dataframe(path_of(filled), layer="organisations")["name"].iloc[0] == "通信建设管理办公室"
    assert len(pyogrio.read_dataframe(path_of(filled), layer="events")) == 20
    assert tuple(pyogrio.read_info(path_of(filled), layer="sites", force_total_bounds=True)["total_bounds"]) == (
        0, 5, 2, 5)


def test_ogrinfo_reads_it_without_a_warning(filled: Register) -> None:
    if not shutil.which("ogrinfo"):
        pytest.skip("no ogrinfo (gdal-bin)")
    done = subprocess.run(["ogrinfo", "-ro", "-al", "-so", str(path_of(filled))], capture_output=True, text=True,
                          timeout=60, check=True)
    assert done.stderr == ""
    assert "Layer name: sites" in done.stdout
    assert "Feature Count: 3" in done.stdout


def test_the_system_tables_are_as_the_standard_wants_them(filled: Register) -> None:
    with closing(sqlite3.connect(path_of(filled))) as plain:
        assert plain.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for name, kind, srs in plain.execute("SELECT table_name, data_type, srs_id FROM gpkg_contents").fetchall():
            keys = [row for row in plain.execute(f'PRAGMA table_info("{name}")') if row[5]]
            assert [(row[2], row[5]) for row in keys] == [("INTEGER", 1)], f"{name} has a whole number as its key"
            shaped = name in register_tables() and register_tables()[name].geometry
            assert (kind, srs) == (("features", 4547) if shaped else ("attributes", 0))


def test_a_spatial_index_that_gdal_adds_follows_what_is_written(filled: Register) -> None:
    if not shutil.which("ogrinfo"):
        pytest.skip("no ogrinfo (gdal-bin)")
    subprocess.run(["ogrinfo", str(path_of(filled)), "-sql", "SELECT CreateSpatialIndex('sites', 'geometry')"],
                   check=True, capture_output=True, timeout=60)
    with writing(filled, stamp("2026-03-01")) as transaction:
        (new,) = add_rows(transaction, "sites", [{"name": "新", "state": "储备", "geometry": shapely.Point(100, 100)}])
        add_rows(transaction, "sites", [{"name": "无位置", "state": "储备"}])
        edit_rows(transaction, "sites", {"ZZ000001": {"geometry": shapely.Point(50, 50)},
                                         "ZZ000002": {"geometry": None}})
    found = pyogrio.read_dataframe(path_of(filled), layer="sites", bbox=(40, 40, 200, 200))
    assert sorted(found["id"]) == ["ZZ000001", new]
    with closing(sqlite3.connect(path_of(filled))) as plain:
        assert plain.execute("SELECT count(*) FROM rtree_sites_geometry").fetchone() == (3,)
    assert check_seals(filled) == ()
    assert len(read_rows(filled, "sites")) == 5
