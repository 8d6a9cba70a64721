"""No row is lost: for messy tables of every layer, the ledger names each row that is not in the finished table."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from test_layers import EAST, EPSG, NORTH, square, write_ground

from siteplan.input_ledger import InputLedger
from siteplan.layers import inspect_layers
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.typing_rows import Frame, finish_table, type_rows
from siteplan.params import LayerSource
from siteplan.schema import Field, layer_schema, load_columns

LAYERS = sorted(load_columns())
PLACED = [name for name in LAYERS if load_columns()[name].geometry != "none"]
CONTEXT_M = 500.0
_PART = re.compile(r"(.*)（(\d+)/(\d+)）")


def far(size: float = 10.0) -> shapely.Polygon:
    return square(90_000, 0, size)


def wild_shapes() -> list[object]:
    """One of everything that a file may hold."""
    bow = shapely.Polygon([(EAST, NORTH), (EAST + 90, NORTH + 90), (EAST + 90, NORTH), (EAST, NORTH + 90)])
    line = shapely.LineString([(EAST, NORTH), (EAST + 300, NORTH + 40)])
    point = shapely.Point(EAST + 400, NORTH + 400)
    return [
        point, shapely.Point(EAST + 40, NORTH + 70), shapely.Point(EAST - 300, NORTH),
        shapely.Point(EAST - 9000, NORTH),
        line, shapely.LineString([(EAST, NORTH), (EAST, NORTH)]), shapely.LinearRing(square(0, 0, 30).exterior.coords),
        shapely.LineString(square(70, 0, 30).exterior.coords), shapely.MultiLineString([line, shapely.LineString([
            (EAST, NORTH), (EAST + 5, NORTH)])]),
        square(0, 0, 30), square(500, 500, 20), bow, far(), square(-300, 0, 20), square(0, 0, 0.01),
        shapely.box(EAST, NORTH, EAST + 300, NORTH + 0.05), shapely.Polygon([(EAST, NORTH)] * 4),
        shapely.Polygon(square(0, 0, 100).exterior, [square(300, 300, 10).exterior]),
        shapely.Polygon(square(0, 0, 100).exterior, [square(30, 30, 10).exterior]),
        shapely.MultiPolygon([square(0, 0, 30), square(10, 10, 40)]),
        shapely.MultiPoint([(EAST + 1, NORTH), (EAST + 2, NORTH), (EAST + 90_000, NORTH)]),
        shapely.MultiPoint([(EAST + 7, NORTH)]), shapely.MultiPoint([(EAST + 7, NORTH), (EAST + 7, NORTH)]),
        shapely.GeometryCollection([point, square(0, 0, 40), line]), shapely.GeometryCollection([line, line]),
        shapely.GeometryCollection([shapely.GeometryCollection([shapely.MultiPoint([
            (EAST, NORTH), (EAST + 3, NORTH)])])]),
        shapely.GeometryCollection(), shapely.Polygon(), shapely.Point(), None, shapely.Point(1e300, NORTH),
        shapely.LineString([(EAST, NORTH), (float("inf"), NORTH)]), shapely.box(0, 0, 3e7, 3e7),
        shapely.Point(float("nan"), NORTH)]


def cell(spec: Field, rng: np.random.Generator) -> object:
    """A good value, a bad one, or none."""
    pick = int(rng.integers(0, 10))
    if pick < 2:
        return None
    if pick == 2:
        return "???"
    if pick == 3:
        return "1e999"
    if spec.values:
        words = next(iter(spec.values.items()))
        return rng.choice([words[0], *words[1]])
    if spec.type in ("float", "int"):
        low, high = spec.low or 0.0, spec.high or 1e6
        return [low, high, high * 2 + 1, "３０", f"{low + 1}{spec.unit}"][pick % 5]
    return {"bool": "是", "date": "2023-05-01"}.get(spec.type, f"名{int(rng.integers(0, 6))}")


def messy(layer: str, seed: int) -> tuple[pd.DataFrame, list[object]]:
    """Cells and shapes of a bad file of a layer: two rows of everything, some of them twice."""
    rng = np.random.default_rng([seed, *layer.encode()])
    schema = layer_schema(layer)
    shapes = [wild_shapes()[int(number)] for number in rng.permutation(2 * len(wild_shapes())) % len(wild_shapes())]
    cells = {name: [cell(spec, rng) for _ in shapes] for name, spec in schema.fields.items()}
    frame = pd.DataFrame(cells, dtype=object)
    frame[schema.key] = [None if rng.random() < 0.2 else f"k{int(rng.integers(0, 30))}" for _ in shapes]
    again = rng.integers(0, len(shapes), 12)
    frame = pd.concat([frame, frame.iloc[again]], ignore_index=True).astype(object)
    return frame.where(frame.notna(), None), [*shapes, *(shapes[number] for number in again)]


def recount(layer: str, file: str, rows_in: int, made: int, kept: list[str], ledger: InputLedger) -> None:
    """The sum of a file, from its labels and its lines alone; lines of a table are numbered, the header is 1."""
    first = 2 if file.endswith(".csv") else 1
    told = [line for line in ledger if line.layer == layer and line.file == file]
    refused = {line.row for line in told if line.action == "refused"}
    assert "" not in refused
    assert not [row for row in refused if row.startswith("共")]
    assert len(set(kept)) == len(kept)
    assert not refused & set(kept)
    assert rows_in + made == len(kept) + len(refused)
    whole = {row for row in (*kept, *refused) if not _PART.fullmatch(row)}
    parts = [_PART.fullmatch(row) for row in (*kept, *refused)]
    split = Counter((found[1], int(found[3])) for found in parts if found)
    assert all(count == number for (_, number), count in split.items())
    assert whole | {row for row, _ in split} == {str(number + first) for number in range(rows_in)}
    named = {line.row for line in told if line.row and not line.row.startswith("共")}
    assert named <= set(kept) | refused | {row for row, _ in split}
    assert all(line.reason for line in told)


def count_file(layer: str, path: Path, **options: object) -> None:
    folder = path.parent
    if not (folder / "dem.tif").exists():
        write_ground(folder / "dem.tif")
        gpd.GeoDataFrame({"id": ["b"]}, geometry=[square(0, 0, 2000)], crs=EPSG).to_file(folder / "b.gpkg")
    sources = {"boundary": LayerSource(path="b.gpkg"), "villages": LayerSource(path="b.gpkg"),
               "ground": LayerSource(path="dem.tif")} | {layer: LayerSource(path=path.name, **options)}
    found = inspect_layers(sources, EPSG, folder, CONTEXT_M)
    (file,) = [file for file in found.files if file.layer == layer]
    kept = found.table(layer)["source_row"].tolist()
    assert file.rows_kept == len(kept)
    recount(layer, path.name, file.rows_in, file.rows_made, kept, found.ledger)
    assert file.rows_refused == file.rows_in + file.rows_made - file.rows_kept
    shapes = found.table(layer).geometry
    assert shapes[shapes.notna()].is_valid.all()


@pytest.mark.parametrize("layer", PLACED)
def test_vector_files(layer: str, tmp_path: Path) -> None:
    frame, shapes = messy(layer, 1)
    texts = frame.map(lambda value: None if value is None else str(value))
    gpd.GeoDataFrame(texts, geometry=np.array(shapes, dtype=object), crs=EPSG).to_parquet(tmp_path / "m.parquet")
    count_file(layer, tmp_path / "m.parquet")


@pytest.mark.parametrize("layer", [name for name in LAYERS if layer_schema(name).geometry in ("point", "none")])
def test_tables(layer: str, tmp_path: Path) -> None:
    frame, shapes = messy(layer, 2)
    centres = [None if shape is None or shape.is_empty else shape.centroid for shape in shapes]
    frame["x"] = [None if point is None else point.x for point in centres]
    frame["x"] = frame["x"].astype(object).where(frame.index % 17 != 0, "?")
    frame["y"] = [None if point is None else f"{point.y:.3f}" for point in centres]
    frame.to_csv(tmp_path / "m.csv", index=False)
    placed = layer_schema(layer).geometry == "point"
    count_file(layer, tmp_path / "m.csv", **({"crs": f"EPSG:{EPSG}"} if placed else {}))


@settings(max_examples=60)
@given(layer=st.sampled_from(PLACED), seed=st.integers(0, 10_000), bounded=st.booleans())
def test_any_mixture_adds_up(layer: str, seed: int, bounded: bool) -> None:
    frame, shapes = messy(layer, seed)
    size = 1 + seed % len(shapes)
    frame, array = frame.iloc[:size].reset_index(drop=True), np.array([*shapes[:size], None], dtype=object)[:-1]
    town = square(0, 0, 2000)
    study = Frame(gpd.GeoSeries([], crs=EPSG).crs, town.buffer(CONTEXT_M) if bounded else None, None, CONTEXT_M,
                  town if bounded else None)
    rows = np.array([str(number + 1) for number in range(size)], dtype=object)
    log = FileLog(layer, "m.gpkg", InputLedger())
    before = frame.copy()
    typed = type_rows(RawTable(frame, rows, array, study.crs, "utf-8"), LayerSource(path="m.gpkg"), study, log)
    pd.testing.assert_frame_equal(frame, before)
    if typed is None:
        assert log.problems
        return
    table = finish_table(layer, [typed], study, log.ledger)
    recount(layer, "m.gpkg", typed.rows_in, typed.rows_made, table["source_row"].tolist(), log.ledger)
    assert typed.rows_in == size
    assert table.index.is_unique
    assert table.geometry[table.geometry.notna()].is_valid.all()


def test_rows_that_two_files_share_are_refused_in_the_second(tmp_path: Path) -> None:
    write_ground(tmp_path / "dem.tif")
    gpd.GeoDataFrame({"id": ["b"]}, geometry=[square(0, 0, 2000)], crs=EPSG).to_file(tmp_path / "b.gpkg")
    (tmp_path / "one.csv").write_text(f"杆号,杆高,x,y\n1,9,{EAST},{NORTH}\n2,9,{EAST + 5},{NORTH}\n", encoding="utf-8")
    (tmp_path / "two.csv").write_text(f"杆号,杆高,x,y\n2,9,{EAST + 5},{NORTH}\n1,7,{EAST},{NORTH}\n", encoding="utf-8")
    found = inspect_layers({
        "boundary": LayerSource(path="b.gpkg"), "villages": LayerSource(path="b.gpkg"),
        "ground": LayerSource(path="dem.tif"),
        "poles": LayerSource(path=["one.csv", "two.csv"], crs=f"EPSG:{EPSG}")}, EPSG, tmp_path, CONTEXT_M)
    table = found.table("poles")
    assert table.index.tolist() == ["1", "2", "1-2"]
    for file in (file for file in found.files if file.layer == "poles"):
        kept = table.loc[table["source_file"] == file.file, "source_row"].tolist()
        recount("poles", file.file, file.rows_in, file.rows_made, kept, found.ledger)
    assert [(line.file, line.row) for line in found.ledger if line.layer == "poles" and line.action == "refused"] == [
        ("two.csv", "2")]
