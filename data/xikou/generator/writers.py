"""Writers whose output does not depend on the day or the machine."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import rasterio
from affine import Affine

from .frame import CELL, CRS, HEIGHT, MARGIN, ORIGIN
from .terrain import Ground

DAY = "2024-06-30"


def fix_dates() -> None:
    """Let GeoPackage carry a fixed date."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{DAY}T00:00:00.000Z"})


def write_gpkg(table: gpd.GeoDataFrame, path: Path, layer: str) -> None:
    """One layer into a GeoPackage, without a spatial index; a new file when there is none."""
    table.to_file(path, layer=layer, driver="GPKG", engine="pyogrio", mode="a" if path.exists() else "w",
                  SPATIAL_INDEX="NO")


def write_gbk_shapefile(table: gpd.GeoDataFrame, path: Path) -> None:
    """Shapefile in GBK with no .cpg, as many bureaus send it."""
    table.to_file(path, driver="ESRI Shapefile", engine="pyogrio", encoding="GBK", DBF_DATE_LAST_UPDATE=DAY)
    path.with_suffix(".cpg").unlink(missing_ok=True)


def write_csv(table: pd.DataFrame, path: Path, encoding: str) -> None:
    """CSV with CRLF line ends, as spreadsheets write it."""
    table.to_csv(path, index=False, encoding=encoding, lineterminator="\r\n")


def write_ground(ground: Ground, path: Path) -> None:
    """Ground heights as a compressed float32 GeoTIFF."""
    data = ground.height.astype("float32")
    transform = Affine(CELL, 0.0, ORIGIN[0] - MARGIN, 0.0, -CELL, ORIGIN[1] + HEIGHT + MARGIN)
    with rasterio.open(path, "w", driver="GTiff", width=data.shape[1], height=data.shape[0], count=1, dtype="float32",
                       crs=CRS, transform=transform, nodata=-9999.0, compress="deflate", predictor=3, zlevel=9) as out:
        out.write(data, 1)


def write_xlsx(table: pd.DataFrame, path: Path, sheet: str, notes: list[str]) -> None:
    """Workbook with a data sheet and a notes sheet, bytes independent of the clock."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet
    page.append(list(table.columns))
    for row in table.itertuples(index=False):
        page.append([None if pd.isna(value) else value for value in row])
    page.freeze_panes = "A2"
    remarks = book.create_sheet("说明")
    for note in notes:
        remarks.append([note])
    memory = io.BytesIO()
    book.save(memory)
    stamp = f"{DAY}T00:00:00Z".encode()
    with zipfile.ZipFile(memory) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", stamp, data)
            info = zipfile.ZipInfo(name, (2024, 6, 30, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, data)


def write_manifest(folder: Path, names: list[str]) -> None:
    """Bytes and SHA-256 of every generated file."""
    rows = []
    for name in sorted(names):
        data = (folder / name).read_bytes()
        rows.append({"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False, lineterminator="\n")
