"""Seeded damage: the same format and seed always give the same files and the same study settings."""

from __future__ import annotations

import io
import random
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from .good_files import EAST, EPSG, GOOD, NORTH, TABLES, ZIP_TIME

HEADER_BYTES = 200
WILD_INTEGERS = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFFE, 0x1000_0000, 0x00FF_FFFF)
NASTY = (
    "", " ", "=1+1", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "1e308", "-1e308", "1e999", "NaN",
    "inf", "9" * 400, "测" * 5000, "\x00abc", "\u202eabc\u200f", "\ud800", "'", '"', "a,b", "\r\n", "../../etc/passwd",
    "%s%n%d", "{0.__class__}", "１２３", "0x10", "1_000", "²", "½", "٣", "1e-320", "-0", "2024-02-30", "99999-01-01",
    "0000-00-00", "None", "null", "true", "113°22′48″E", "1;2;3", "120/240/0", "/////", "30米", "1e5米", "∞", "一百",
    "三十", "\ufeff", "\u2028", "𝟙", "-1", "0",
    "99999999999999999999", "-9223372036854775809", "1,234.5", "１２０度", "&lol;", "]]>", "\\", "\x1b[31m",
)
TABLE_LAYERS = ("boundary", "villages", "zones", "poles", "facilities", "buildings", "stations", "population", "towns",
                "roads", "village_points", "restricted", "parcels", "measurements", "decisions", "planned_buildings")
RASTER_LAYERS = ("ground", "heights", "clutter", "population")
RASTERS = ("tif", "tif_packed", "hgt", "asc")
ODD_OPTIONS: tuple[dict[str, Any], ...] = (
    {"encoding": "GBK"}, {"encoding": "utf-8"}, {"encoding": "Big5"}, {"encoding": "utf-16"},
    {"encoding": "no-such-code"}, {"encoding": "rot13"}, {"datum": "gcj02"}, {"datum": "bd09"}, {"datum": "cgcs2000"},
    {"crs": "EPSG:4547"},
    {"crs": "EPSG:4326"}, {"crs": "EPSG:2436"}, {"crs": "EPSG:9999999"}, {"crs": "垃圾"}, {"layer": "没有"},
    {"layer": "a, a"}, {"where": "height > 10"}, {"where": "1=1) OR (1=1"}, {"where": "村名 LIKE '%1%'"},
    {"columns": {"name": "村名"}},
    {"columns": {"name": "没有这列"}}, {"nodata": 0.0}, {"unit": "ft"}, {"member": "*.shp"}, {"member": "../x"},
    {"towgs84": [1.0, 2.0, 3.0]},
)


@dataclass(frozen=True)
class Case:
    """One damaged file and how it is read.

    Attributes
    ----------
    format : str
    seed : int
    path : str
        Main file, in the folder of the case.
    layer : str
    options : dict
        Keys of the layer's table in the study file.
    crs : str or None
        CRS of the study.
    done : list of str
        What was done, in order.
    """

    format: str
    seed: int
    path: str
    layer: str
    options: dict[str, Any]
    crs: str | None
    done: list[str]


def make_case(name: str, seed: int, good: Path, folder: Path) -> Case:
    """Write the damaged files of a case below `folder`.

    Parameters
    ----------
    name : str
        Format, a key of ``GOOD``.
    seed : int
    good : Path
        Folder that ``write_all`` filled.
    folder : Path
        Emptied first.
    """
    rng = random.Random(f"{name}:{seed}")
    if folder.exists():
        shutil.rmtree(folder)
    known = GOOD[name]
    done: list[str] = []
    if not (name in TABLES and rng.random() < 0.25 and _write_changed(rng, name, folder, done)):
        shutil.copytree(good / name, folder)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            _damage(rng, name, folder, good, done)
    layer = known.layer
    options = dict(known.options)
    if name != "toml" and rng.random() < 0.25:
        layer = rng.choice(RASTER_LAYERS if name in RASTERS else TABLE_LAYERS)
    if rng.random() < 0.2:
        options |= rng.choice(ODD_OPTIONS)
    crs = None if rng.random() < 0.2 else f"EPSG:{EPSG}"
    return Case(name, seed, known.path, layer, options, crs, done)


def damage_bytes(rng: random.Random, data: bytes, donor: bytes = b"") -> tuple[str, bytes]:
    """One change of one file's bytes, and its name.

    >>> damage_bytes(random.Random(1), b"0123456789") == damage_bytes(random.Random(1), b"0123456789")
    True
    """
    change = rng.choice(_BYTE_CHANGES)
    return change.__name__.strip("_"), change(rng, bytearray(data), donor)


def _flip_bits(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _flip_header_bits(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 4))):
        if data:
            data[rng.randrange(min(len(data), HEADER_BYTES))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _blank_run(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    start, length = rng.randrange(len(data) + 1), rng.choice((1, 4, 16, 64, 512))
    end = min(len(data), start + length)
    data[start:end] = bytes([rng.choice((0, 0xFF, 0x20, 0x80))]) * (end - start)
    return bytes(data)


def _truncate(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    return bytes(data[:rng.randrange(len(data) + 1) if rng.random() < 0.8 else rng.randrange(min(len(data), 8) + 1)])


def _cut_chunk(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    del data[start:start + rng.choice((1, 2, 4, 16, 64, 512))]
    return bytes(data)


def _double_chunk(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    chunk = data[start:start + rng.choice((1, 2, 4, 16, 64, 512, 4096))]
    place = rng.choice((start, rng.randrange(len(data) + 1)))
    data[place:place] = chunk * rng.choice((1, 1, 2, 50))
    return bytes(data)


def _wild_integer(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    order, value = rng.choice("<>"), rng.choice(WILD_INTEGERS)
    code = rng.choice("IIIHB")
    packed = struct.pack(order + code, value & ((1 << (8 * struct.calcsize(code))) - 1))
    limit = min(len(data), HEADER_BYTES if rng.random() < 0.7 else len(data)) - len(packed)
    if limit >= 0:
        start = rng.randrange(limit + 1)
        start -= start % rng.choice((1, 4))
        data[start:start + len(packed)] = packed
    return bytes(data)


def _wild_double(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    value = rng.choice((float("nan"), float("inf"), -float("inf"), 1e308, 1e-320, 0.0, -1e18))
    packed = struct.pack(rng.choice("<<>") + "d", value)
    if len(data) >= 8:
        start = rng.randrange(len(data) - 7)
        start -= start % rng.choice((1, 4, 8))
        data[start:start + 8] = packed
    return bytes(data)


def _digits(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    places = [found.span() for found in re.finditer(rb"\d+(?:\.\d+)?", bytes(data))]
    if places:
        start, end = rng.choice(places)
        data[start:end] = rng.choice((b"0", b"-1", b"99999999999999999999", b"1e308", b"NaN", b"", b"4294967295",
                                      b"2147483647", b"nan(1)", b"1" * (end - start), b"9" * (end - start)))
    return bytes(data)


def _nasty_text(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    places = [found.span() for found in re.finditer(rb"[\w\x80-\xff]+", bytes(data))]
    if places:
        start, end = rng.choice(places)
        data[start:end] = rng.choice(NASTY).encode(rng.choice(("utf-8", "utf-16-le", "utf-8")), "surrogatepass")
    return bytes(data)


def _other_encoding(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    raw = bytes(data)
    for code in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(code)
        except UnicodeDecodeError:
            continue
        other = rng.choice(("gb18030", "big5", "utf-16", "utf-16-be", "utf-8-sig", "utf-32", "shift_jis", "ascii"))
        return text.encode(other, "replace")
    return raw.decode("latin-1").encode("utf-8")


def _line_ends(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    return bytes(data).replace(b"\r\n", b"\n").replace(b"\n", rng.choice((b"\r", b"\r\n", b"\n\n", b"\x0b", b"")))


def _splice(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    start = rng.randrange(len(donor) + 1)
    chunk = donor[start:start + rng.choice((4, 64, 512))]
    place = rng.randrange(len(data) + 1)
    data[place:place + (len(chunk) if rng.random() < 0.5 else 0)] = chunk
    return bytes(data)


def _noise(rng: random.Random, data: bytearray, donor: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice((4, 32, 256)))
    data[start:end] = rng.randbytes(end - start)
    return bytes(data)


_BYTE_CHANGES: tuple[Callable[[random.Random, bytearray, bytes], bytes], ...] = (
    _flip_bits, _flip_bits, _flip_header_bits, _flip_header_bits, _blank_run, _truncate, _cut_chunk, _double_chunk,
    _wild_integer, _wild_integer, _wild_integer, _wild_double, _digits, _digits, _nasty_text, _nasty_text,
    _other_encoding, _line_ends, _splice, _noise)


def _damage(rng: random.Random, name: str, folder: Path, good: Path, done: list[str]) -> None:
    """One change of the files of a case."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        return
    path = rng.choice(files)
    donor = rng.choice(sorted(item for item in good.rglob("*") if item.is_file()))
    if len(files) > 1 and rng.random() < 0.1:
        path.unlink()
        done.append(f"{path.name}: removed")
    elif rng.random() < 0.04:
        same = [item for item in sorted(good.rglob(f"*{path.suffix}")) if item.is_file()]
        path.write_bytes(rng.choice([*same, donor]).read_bytes())
        done.append(f"{path.name}: another file's content")
    elif len(files) > 1 and rng.random() < 0.04:
        other = rng.choice(files)
        first, second = path.read_bytes(), other.read_bytes()
        path.write_bytes(second)
        other.write_bytes(first)
        done.append(f"{path.name}, {other.name}: swapped")
    elif path.suffix in (".zip", ".kmz", ".xlsx") and rng.random() < 0.6 and (members := _members(path)):
        done.append(f"{path.name}: {_damage_zip(rng, path, members, donor.read_bytes())}")
    else:
        how, data = damage_bytes(rng, path.read_bytes(), donor.read_bytes())
        path.write_bytes(data)
        done.append(f"{path.name}: {how}")


def _members(path: Path) -> list[tuple[str, bytes]]:
    """Members of a zip; none when an earlier change broke it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # noqa: BLE001 - a broken zip is refused in many ways
        return []


def _damage_zip(rng: random.Random, path: Path, members: list[tuple[str, bytes]], donor: bytes) -> str:
    """Change a member below the compression, its name, or what stands beside it."""
    place = rng.randrange(len(members))
    name, data = members[place]
    others = ("escape", "absolute", "removed", "twice", "nested", "odd name", "bomb", "link")
    how = rng.choice(("content",) * 6 + others)
    if how == "content":
        what, data = damage_bytes(rng, data, donor)
        members[place] = name, data
        how = f"{name} {what}"
    elif how in ("escape", "absolute", "odd name"):
        odd = {"escape": f"../../{name}", "absolute": f"/tmp/{name}", "odd name": f"a!b\\{'长' * 90}'\"{name}"}[how]
        members[place] = odd, data
    elif how == "removed":
        members.pop(place)
    elif how == "twice":
        members.append((name.upper(), donor[:2000]))
    elif how == "nested":
        members = [("内层.zip", path.read_bytes())]
    elif how == "bomb":
        members.append((name + ".xml", bytes(32 << 20)))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, data) in enumerate(members):
            info = zipfile.ZipInfo(name, ZIP_TIME)
            if how == "link" and number == place:
                info.external_attr, data = 0o120777 << 16, b"/etc/passwd"
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    path.write_bytes(stream.getvalue())
    return how


def _write_changed(rng: random.Random, name: str, folder: Path, done: list[str]) -> bool:
    """Write the good table with nasty cells and shapes; False where the writer refuses them."""
    folder.mkdir(parents=True)
    try:
        GOOD[name].write(folder, lambda frame: _nasty_table(rng, frame, done))
    except Exception as error:  # noqa: BLE001 - writers refuse in many ways; then bytes are damaged instead
        shutil.rmtree(folder)
        done[:] = [f"(not written: {type(error).__name__})"]
        return False
    return True


def _nasty_table(rng: random.Random, frame: gpd.GeoDataFrame, done: list[str]) -> gpd.GeoDataFrame:
    out = frame.copy()
    plain = [column for column in out.columns if column != "geometry"]
    for _ in range(rng.choice((1, 2, 4, 8))):
        row = rng.randrange(len(out))
        if rng.random() < 0.5:
            shapes = list(out.geometry)
            how = rng.choice(sorted(_SHAPES))
            shapes[row] = _SHAPES[how]
            out = out.set_geometry(gpd.GeoSeries(shapes, index=out.index, crs=out.crs))
        else:
            column = rng.choice(plain)
            value = rng.choice(NASTY)
            how = f"{column}={value[:20]!r}"
            cells = ["" if cell is None else str(cell) for cell in out[column]]
            cells[row] = value
            out[column] = cells
        done.append(f"row {row + 1}: {how}")
    if rng.random() < 0.1:
        out = out.iloc[:0]
        done.append("no rows")
    if rng.random() < 0.1:
        old = rng.choice(plain)
        new = rng.choice((*NASTY, "geometry", "fid", "X", "source_row"))
        out = out.rename(columns={old: new})
        done.append(f"column {old} named {new[:20]!r}")
    return out


def _triangle(x: float) -> shapely.Polygon:
    with np.errstate(invalid="ignore"):
        return shapely.Polygon([(EAST, NORTH), (x, NORTH), (EAST + 5, NORTH + 5)])


_HERE = shapely.box(EAST, NORTH, EAST + 50, NORTH + 50)
_SHAPES: dict[str, Any] = {
    "null": None, "empty polygon": shapely.Polygon(), "empty point": shapely.Point(),
    "empty collection": shapely.GeometryCollection(),
    "bow tie": shapely.Polygon([(EAST, NORTH), (EAST + 9, NORTH + 9), (EAST + 9, NORTH), (EAST, NORTH + 9)]),
    "flat": shapely.Polygon([(EAST, NORTH), (EAST + 9, NORTH), (EAST + 5, NORTH)]),
    "spike": shapely.Polygon([(EAST, NORTH), (EAST, NORTH), (EAST, NORTH), (EAST, NORTH)]),
    "nan": shapely.Point(float("nan"), NORTH), "inf": shapely.Point(float("inf"), NORTH),
    "nan polygon": _triangle(float("nan")), "inf polygon": _triangle(float("inf")),
    "huge": shapely.box(-1e300, -1e300, 1e300, 1e300), "far": shapely.box(1e9, 1e9, 2e9, 2e9),
    "tiny": _HERE.centroid.buffer(1e-9),
    "line": shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH + 9)]), "point": _HERE.centroid, "polygon": _HERE,
    "height": shapely.force_3d(_HERE, -1e30), "multipoint": shapely.MultiPoint([(EAST, NORTH), (EAST + 9, NORTH + 9)]),
    "collection": shapely.GeometryCollection(
        [_HERE, _HERE.centroid, shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])]),
    "ring": shapely.LinearRing([(EAST, NORTH), (EAST + 9, NORTH), (EAST + 9, NORTH + 9)]),
    "degrees": shapely.Point(113.39, 22.51), "swapped": shapely.Point(22.51, 113.39), "zero": shapely.Point(0, 0),
    "pole": shapely.Point(113.39, 90.0), "north east": shapely.box(NORTH, EAST, NORTH + 50, EAST + 50),
    "many points": _HERE.centroid.buffer(30.0, quad_segs=5000),
    "nested": shapely.GeometryCollection([shapely.GeometryCollection([shapely.GeometryCollection([_HERE])])]),
}
