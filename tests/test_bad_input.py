"""Every malformed file beside the project ends in ledger lines or one clean error: no trace, no hang, at most 1 GiB."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import SHARED
from fuzz.good_files import EPSG, write_base
from fuzz.run import CLEAN, Worker, describe
from typer.testing import CliRunner

from siteplan.cli import app

BAD = SHARED / "data" / "badinput"
FILES = sorted(path for path in BAD.rglob("*") if path.is_file()) if BAD.exists() else []
RASTERS = (".tif", ".tiff", ".asc", ".hgt")
SIDECARS = (".shx", ".prj", ".cpg", ".dat", ".id", ".map")
pytestmark = pytest.mark.shared


def name_of(path: Path) -> str:
    return path.relative_to(BAD).as_posix()


def plausible(path: Path) -> list[tuple[str, str | None]]:
    """Layers a planner could take the file for, each with the CRS of the study (None = chosen from the data)."""
    suffix, own = path.suffix.lower(), f"EPSG:{EPSG}"
    if suffix in RASTERS:
        return [("ground", own), ("heights", None), ("clutter", own)]
    if suffix in SIDECARS or not suffix:
        return [("villages", own)]
    if suffix in (".csv", ".txt", ".dbf"):
        return [("stations", own), ("poles", own), ("facilities", None)]
    return [("boundary", None), ("villages", own), ("buildings", own), ("stations", own)]


def test_files_are_there():
    if not FILES:
        pytest.skip("../shared/data/badinput is absent")
    assert len(FILES) >= 80


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    if sys.platform != "linux":
        pytest.skip("limits of memory and time are set as Linux has them")
    worker = Worker(tmp_path_factory.mktemp("bad"))
    yield worker
    worker.close()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_read_under_limits(path, worker):
    """In a process of its own: 20 cpu seconds, 1 GiB, exceptions and crashes caught, rows and lines add up."""
    found = [worker.read(path, layer, {}, crs) for layer, crs in plausible(path)]
    found.append(worker.read(path, plausible(path)[-1][0], {"crs": "EPSG:4490", "encoding": "GBK"}, None))
    bad = [describe(outcome) for outcome in found if outcome["kind"] not in CLEAN]
    assert not bad, "\n\n".join(bad)
    told = [outcome["detail"] for outcome in found if outcome["kind"] == "told" and outcome["layer"] != "boundary"]
    assert all(path.name in text for text in told), told  # a good boundary elsewhere makes the other files wrong


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    write_base(folder)
    return folder


def write_study(folder: Path, base: Path, layer: str, path: Path) -> Path:
    layers = {"boundary": base / "boundary.geojson", "villages": base / "villages.geojson",
              "ground": base / "ground.tif", layer: path}
    tables = "".join(f"[layers.{name}]\npath = '{file.resolve().as_posix()}'\n" for name, file in layers.items())
    study = folder / "study.toml"
    study.write_text(f'[study]\nname = "坏数据"\ncrs = "EPSG:{EPSG}"\n{tables}', encoding="utf-8")
    return study


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_check_tells_in_words(path, base, tmp_path):
    """``siteplan check`` ends with 0 and ledger lines, or with 2 and an error that names the file; never with 1."""
    result = CliRunner().invoke(app, ["check", str(write_study(tmp_path, base, plausible(path)[-1][0], path))])
    text = result.output + result.stderr
    assert result.exit_code in (0, 2), text
    assert "Traceback" not in text
    assert "程序内部错误" not in text
    assert path.name in text, text
