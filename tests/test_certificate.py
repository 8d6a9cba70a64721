"""The certificate in files: written whole, read back, and damage named; the command."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from certificate_toy import (
    HEADER,
    certificate_of,
    change_arrays,
    change_json,
    change_layer,
    change_table,
    copied,
    solved,
    table_of,
    toy,
    write_folder,
)
from typer.testing import CliRunner

from siteplan.cli import app
from siteplan.errors import ExportError, ModelError
from siteplan.export._certificate import certificate_facts, write_arrays, write_certificate
from siteplan.selection.certificate import CANDIDATE_COLUMNS, Certificate, venue_groups
from siteplan.selection.model import Answer, Multipliers
from siteplan.verify import CertificateError, verify
from tests.pace import allowed_s

FILES = ("README.txt", "candidates.csv", "certificate.json", "floors.npz", "multipliers.npz", "reach.npz")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = toy(phases=True)
    return write_folder(made, solved(made), tmp_path_factory.mktemp("honest"))


@pytest.fixture
def folder(honest: Path, tmp_path: Path) -> Path:
    return copied(honest, tmp_path / "out")


# ---- writing


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = toy()
    facts = certificate_of(made, solved(made))
    written = write_certificate(facts, tmp_path)
    assert sorted(path.name for path in written.values()) == sorted(FILES)
    with np.load(tmp_path / "certificate" / "reach.npz", allow_pickle=False) as saved:
        dense = sp.csc_matrix((saved["service"], saved["indices"], saved["indptr"]), shape=made.service.shape).toarray()
        kinds = [saved[name].dtype for name in ("indptr", "indices", "service")]
        assert kinds == [np.int64, np.int32, np.float32]
    np.testing.assert_array_equal(dense, made.service.astype(np.float32))
    table = table_of(tmp_path)
    assert table.columns.tolist() == ["number", *CANDIDATE_COLUMNS, "chosen", "year", "rank_no"]
    assert table["x"].tolist() == made.table["x"].tolist()
    assert np.flatnonzero(table["chosen"]).tolist() == facts.answer.chosen.tolist()
    listed = json.loads((tmp_path / HEADER).read_text("utf-8"))["files"]
    assert sorted(listed) == sorted(set(FILES) - {"certificate.json"})
    assert "siteplan verify" in (tmp_path / "certificate" / "README.txt").read_text("utf-8-sig")
    assert certificate_facts(facts)["gap"] == pytest.approx(facts.answer.gap)


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    made = toy()
    facts = certificate_of(made, solved(made))
    for name in ("one", "two"):
        write_certificate(facts, tmp_path / name)
    for name in FILES:
        assert (tmp_path / "one" / "certificate" / name).read_bytes() == (
            tmp_path / "two" / "certificate" / name).read_bytes()


def test_parts_that_do_not_fit_are_refused() -> None:
    made = toy()
    facts = certificate_of(made, solved(made))
    given = {name: getattr(facts, name) for name in Certificate.__dataclass_fields__}
    with pytest.raises(ModelError, match=r"weight has shape \(3,\), there are 36 cells; ranked is not an order"):
        Certificate(**{**given, "weight": np.ones(3), "ranked": np.array([0, 7])})
    with pytest.raises(ModelError, match="columns price are missing"):
        Certificate(**{**given, "candidates": made.table.drop(columns="price")})


def test_arrays_that_do_not_read_back_are_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="读回检查未通过:weight"):
        write_arrays({"row": np.arange(3), "weight": np.array([1.0, np.nan])}, tmp_path / "reach.npz")


def test_a_fault_leaves_no_half(tmp_path: Path) -> None:
    made = toy()
    facts = certificate_of(made, solved(made))
    write_certificate(facts, tmp_path)
    before = (tmp_path / HEADER).read_bytes()
    object.__setattr__(facts, "weight", np.where(np.arange(36) == 5, np.nan, facts.weight))
    with pytest.raises(ExportError):
        write_certificate(facts, tmp_path)
    assert (tmp_path / HEADER).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"certificate"}


def test_venues_are_numbered_by_first_appearance() -> None:
    assert venue_groups(pd.Series(["", "B", None, "A", "B"])).tolist() == [-1, 0, -1, 1, 0]


def test_a_city_block_is_small_and_quick(tmp_path: Path) -> None:
    """18,000 cells x 1,200 candidates, 1.4 million served pairs: at most 15 MB, and (measured 0.35) 1.5 cpu seconds."""
    rng = np.random.default_rng(0)
    row, col = np.divmod(np.arange(18_000), 150)
    centres = rng.random((1200, 2)) * (120, 150)
    reach = [np.flatnonzero((row - y) ** 2 + (col - x) ** 2 < 21**2) for y, x in centres]
    indptr = np.concatenate([[0], np.cumsum([len(cells) for cells in reach])])
    shares = rng.integers(10, 20, indptr[-1]).astype(np.float32) / 20
    made = toy()
    table = pd.concat([made.table.head(6)] * 200, ignore_index=True)
    table = table.assign(site_id=[f"V-{number}" for number in range(1200)], state="free")
    weight = rng.random(18_000)
    answer = Answer("feasible", np.arange(3), np.zeros(3, np.int32), 1.0, 2.0,
                    (Multipliers(np.tile(weight, 10)),), "multipliers", "toy")
    service = sp.csc_matrix((shares, np.concatenate(reach), indptr), shape=(18_000, 1200))
    facts = Certificate("镇", "0", table, service, weight, weight, row.astype(np.int32), col.astype(np.int32),
                        np.zeros(18_000, np.float32), {"kind": "coverage", "levels": [n / 20 for n in range(10, 20)]},
                        answer, np.arange(3), 1.0)
    start = time.process_time()
    written = write_certificate(facts, tmp_path)
    spent = time.process_time() - start
    assert spent < allowed_s(1.5)
    assert sum(path.stat().st_size for path in written.values()) < 15e6


# ---- damage: problems, never a trace


def damage(folder: Path) -> dict[str, tuple[Callable[[], Any], str, str]]:
    """What is done, the file that is named, and the reason."""
    place = folder / "certificate"

    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-200])

    def put(name: str, at: int, value: float) -> Callable[[dict[str, np.ndarray]], None]:
        return lambda arrays: arrays[name].__setitem__(at, value)

    return {
        "no folder": (lambda: shutil.rmtree(place), "certificate", "文件夹不存在"),
        "no reach": ((place / "reach.npz").unlink, "reach.npz", "文件不存在"),
        "no header": ((place / "certificate.json").unlink, "certificate.json", "文件不存在"),
        "no table": ((place / "candidates.csv").unlink, "candidates.csv", "文件不存在"),
        "no plan": ((folder / "plan.json").unlink, "plan.json", "文件不存在"),
        "no sites": ((folder / "sites.gpkg").unlink, "sites.gpkg", "文件不存在"),
        "truncated npz": (lambda: cut(place / "reach.npz"), "reach.npz", "不是完整的数组文件"),
        "truncated layer": (lambda: (folder / "sites.gpkg").write_bytes(b"SQLite"), "sites.gpkg", "不能读取"),
        "truncated header": (lambda: cut(place / "certificate.json"), "certificate.json", "不是有效的 JSON"),
        "NaN weight": (lambda: change_arrays(folder, "reach.npz", put("weight", 3, np.nan)), "weight", "无效的数"),
        "negative weight": (lambda: change_arrays(folder, "reach.npz", put("weight", 3, -1)), "weight", "负数"),
        "service above 1": (lambda: change_arrays(folder, "reach.npz", put("service", 3, 2)), "service", "0到1"),
        "cell too high": (lambda: change_arrays(folder, "reach.npz", put("indices", 3, 36)), "indices", "超出范围"),
        "cell twice": (lambda: change_arrays(folder, "reach.npz", put("indices", 3, 0)), "indices", "升序"),
        "NaN multiplier": (lambda: change_arrays(folder, "multipliers.npz", put("rows_most_0", 0, np.nan)),
                           "rows_most_0", "无效的数"),
        "floors cut": (lambda: change_arrays(folder, "floors.npz", lambda arrays: arrays.update(
            cells=arrays["cells"][:-1])), "floors.npz", "不符"),
        "NaN cost": (lambda: change_table(folder, lambda table: table.assign(
            cost_yuan=table["cost_yuan"].astype(object).where(table.index != 2, "nan"))), "cost_yuan", "不是有效的数"),
        "same id": (lambda: change_table(folder, lambda table: table.assign(site_id="S-00")), "site_id", "重复"),
        "row lost": (lambda: change_table(folder, lambda table: table.drop(index=7)), "indptr", "不符"),
        "other format": (lambda: change_json(folder, HEADER, lambda facts: facts.update(version=2)), "format", "版本不同"),
        "status word": (lambda: change_json(folder, HEADER, lambda facts: facts.update(status="perfect")), "status",
                        "不是状态词"),
        "NaN value": (lambda: (place / "certificate.json").write_text('{"value": NaN}'), "certificate.json", "NaN"),
        "limit of nothing": (lambda: change_json(folder, HEADER, lambda facts: facts["limits"][0].update(of="moon")),
                             "limits[0].of", "不是限制的对象"),
        "limit of no year": (lambda: change_json(folder, HEADER, lambda facts: facts["limits"][-1].update(year=2099)),
                             "].year", "不是分期的年度"),
    }


@pytest.mark.parametrize("what", list(damage(Path())))
def test_damage_is_a_problem_with_its_place(folder: Path, what: str) -> None:
    change, where, reason = damage(folder)[what]
    change()
    with pytest.raises(CertificateError) as raised:
        verify(folder)
    assert any(where in str(problem) and reason in problem.reason for problem in raised.value.problems), raised.value


# ---- the command


def test_command(folder: Path) -> None:
    call = CliRunner()
    good = call.invoke(app, ["verify", str(folder)], env={"COLUMNS": "300"})
    assert good.exit_code == 0, good.output
    assert "复核结论:部分未核" in good.stdout.splitlines()[0]
    told = call.invoke(app, ["verify", str(folder), "--json"])
    assert json.loads(told.stdout)["ok"] is True
    change_table(folder, lambda table: table.assign(cost_yuan=table["cost_yuan"] - 1000 * table["chosen"]))
    bad = call.invoke(app, ["verify", str(folder)], env={"COLUMNS": "300"})
    assert bad.exit_code == 2
    assert "未通过 入选站址与 plan.json 一致" in bad.output
    assert "投资不一致:" in bad.output
    (folder / "certificate" / "reach.npz").write_bytes(b"PK")
    broken = call.invoke(app, ["verify", str(folder)])
    assert broken.exit_code == 2
    assert "不是完整的数组文件" in broken.output
    assert "Traceback" not in broken.output


def test_layers_are_read_by_their_ids(folder: Path) -> None:
    """The order of rows in a layer means nothing."""
    change_layer(folder, "sites.gpkg", lambda table: gpd.GeoDataFrame(table.iloc[::-1]))
    assert verify(folder).ok
