"""Spot check of whole certificates: an honest one passes, tampered ones are found, unreadable ones are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from test_coverage import params, random_sectors, town

from siteplan.coverage import load_equipment, reach_probability
from siteplan.coverage._spot_facts import gather_spot_facts
from siteplan.export._spot_files import SPOT_FILES, write_spot_files
from siteplan.verify._chance import Chance
from siteplan.verify._spot import SpotPair, spot_check, spot_pairs
from siteplan.verify._spot_draw import StoredReach, draw_served, draw_unserved

LEAST = 0.75
TOLD = ["spot_files", "spot_places", "spot_models", "spot_served", "spot_unserved"]


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> Path:
    """The certificate of twelve sites in a town on hills; the first three are chosen."""
    folder = tmp_path_factory.mktemp("honest") / "certificate"
    folder.mkdir()
    surface = town()
    sectors, settings, equipment = random_sectors(surface, 12, 2), params(700.0, building_weight=0.25), load_equipment()
    rows, cols = (part.ravel() for part in np.mgrid[2:121:5, 2:121:5])
    reach = reach_probability(surface, sectors, settings, rows, cols, floor=LEAST, equipment=equipment)
    served = (reach.matrix >= LEAST).tocsc()
    sites = sectors.groupby("site_id")[["x", "y"]].first().loc[list(reach.site_ids)].reset_index()
    sites.insert(0, "number", range(len(sites)))
    sites.assign(chosen=(sites["number"] < 3).astype(int)).to_csv(folder / "candidates.csv", index=False,
                                                                  encoding="utf-8-sig")
    np.savez(folder / "reach.npz", indptr=served.indptr.astype(np.int64), indices=served.indices.astype(np.int32),
             service=np.ones(served.nnz, np.float32), weight=np.ones(len(rows)), row=rows.astype(np.int32),
             col=cols.astype(np.int32))
    write_spot_files(gather_spot_facts(surface, sectors, settings, equipment, None, LEAST), folder)
    return folder


@pytest.fixture
def folder(honest, tmp_path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(honest, tmp_path / "certificate"))


def verdicts(folder: Path, **asked: int) -> dict[str, bool | None]:
    return {check.name: check.ok for check in spot_check(folder, **asked)}


def change_reach(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    with np.load(folder / "reach.npz") as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(folder / "reach.npz", **arrays)


def change_json(folder: Path, name: str, change: Callable[[dict], None]) -> None:
    facts = json.loads((folder / name).read_text(encoding="utf-8"))
    change(facts)
    (folder / name).write_text(json.dumps(facts), encoding="utf-8")


def change_surface(folder: Path, change: Callable[[np.ndarray], None], band: int = 1) -> None:
    with rasterio.open(folder / "surface.tif", "r+") as raster:
        values = raster.read(band)
        change(values)
        raster.write(values, band)


def change_sectors(folder: Path, **changes: object) -> None:
    table = pd.read_csv(folder / "sectors.csv", encoding="utf-8-sig", keep_default_na=False)
    table.assign(**changes).to_csv(folder / "sectors.csv", index=False, encoding="utf-8-sig")


def dense(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """(candidates, cells): whether the candidate serves the cell."""
    out = np.zeros((len(arrays["indptr"]) - 1, len(arrays["row"])), bool)
    out[np.repeat(np.arange(len(out)), np.diff(arrays["indptr"])), arrays["indices"]] = True
    return out


def store(arrays: dict[str, np.ndarray], served: np.ndarray) -> None:
    arrays["indptr"] = np.concatenate([[0], np.cumsum(served.sum(axis=1))]).astype(np.int64)
    arrays["indices"] = np.nonzero(served)[1].astype(np.int32)
    arrays["service"] = np.ones(len(arrays["indices"]), np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_an_honest_certificate_passes(honest, seed):
    assert verdicts(honest, seed=seed, count=60) == dict.fromkeys(TOLD, True)
    assert verdicts(honest.parent, seed=seed) == dict.fromkeys(TOLD, True), "the output folder will do, too"


def test_pairs_are_half_served_half_not_and_half_of_chosen_sites(honest):
    pairs = spot_pairs(honest, seed=3, count=40)
    served = [pair for pair in pairs if pair.service > 0.0]
    assert len(pairs) == 40
    assert len(served) == 20
    assert len({(pair.site_id, pair.cell) for pair in pairs}) == 40
    assert sum(pair.chosen for pair in served) >= 10
    assert sum(pair.chosen for pair in pairs) >= 20
    assert all((pair.chance.probability >= LEAST) == (pair.service > 0.0) for pair in pairs)
    assert all(np.isfinite(pair.chance.loss_db) for pair in pairs), "pairs that are not served are in range as well"


def test_the_seed_decides(honest):
    first, again, other = (spot_pairs(honest, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) == 20


def test_a_line_for_each_pair(honest):
    served = spot_check(honest)[3]
    assert len(served.told.splitlines()) == 10
    assert served.found == "10 对：相符 10，恰在门限上 0，不符 0"
    pair = spot_pairs(honest)[0]
    assert pair.site_id in str(pair)
    assert "损耗" in str(pair)
    assert str(pair).endswith("记为服务 1：相符")


@pytest.mark.parametrize("seed", range(4))
def test_a_third_of_the_entries_moved_elsewhere(folder, seed):
    """Three of ten served pairs are claimed for other cells instead."""
    rng = np.random.default_rng(seed)

    def move(arrays: dict[str, np.ndarray]) -> None:
        served = dense(arrays)
        out, into = (rng.choice(np.flatnonzero(part.ravel()), int(0.3 * served.sum()), replace=False)
                     for part in (served, ~served))
        served.ravel()[out], served.ravel()[into] = False, True
        store(arrays, served)

    change_reach(folder, move)
    assert verdicts(folder, seed=seed)["spot_served"] is False


def test_served_pairs_hushed_up(folder):
    """Six of ten served pairs are missing: found among those not served, which are drawn near the sites."""
    def hush(arrays: dict[str, np.ndarray]) -> None:
        served = dense(arrays)
        store(arrays, served & (np.random.default_rng(1).random(served.shape) < 0.4))

    change_reach(folder, hush)
    found = verdicts(folder)
    assert found["spot_served"] is True
    assert found["spot_unserved"] is False


def test_raised_ground_is_found(folder):
    """Every other square of 60 m is 30 m higher: masts and cells on these see more, the others less."""
    def raise_it(ground: np.ndarray) -> None:
        rows, cols = np.mgrid[0:121, 0:121]
        ground += np.where((rows // 6 + cols // 6) % 2 == 0, np.float32(30.0), np.float32(0.0))

    change_surface(folder, raise_it)
    assert False in (verdicts(folder)[name] for name in ("spot_served", "spot_unserved"))


def test_ground_raised_as_a_whole_changes_nothing(folder):
    """Only differences of height matter: no sight, angle or distance changes when all ground rises by 32 m."""
    def lift(ground: np.ndarray) -> None:
        ground += np.float32(32.0)

    change_surface(folder, lift)
    assert verdicts(folder) == dict.fromkeys(TOLD, True)


def test_heights_that_are_no_numbers(folder):
    change_surface(folder, lambda ground: ground.fill(np.nan))
    (check,) = spot_check(folder)
    assert check.ok is False
    assert "不是数的高程" in check.told


def test_stronger_sectors_are_found(folder):
    change_sectors(folder, epre_dbm=lambda table: table["epre_dbm"] + 12.0)
    assert verdicts(folder)["spot_unserved"] is False


def test_moved_sectors_are_found(folder):
    change_sectors(folder, x=lambda table: np.where(table["site_id"] == "S4", table["x"] + 30.0, table["x"]))
    check = spot_check(folder)[1]
    assert check.ok is False
    assert check.told == "S4：扇区不在候选站址处"


def test_a_site_that_serves_without_sectors(folder):
    table = pd.read_csv(folder / "sectors.csv", encoding="utf-8-sig", keep_default_na=False)
    table[table["site_id"] != "S5"].to_csv(folder / "sectors.csv", index=False, encoding="utf-8-sig")
    check = spot_check(folder)[1]
    assert check.ok is False
    assert check.told == "S5：没有扇区"


def test_a_constant_that_is_not_the_published_one(folder):
    change_json(folder, "radio.json", lambda facts: facts.update(earth_radius_m=6.371e6))
    check = spot_check(folder)[2]
    assert check.ok is False
    assert check.found == "earth_radius_m 6371000.0（应为 8500000.0）"


def test_a_model_that_was_not_rewritten_is_not_checked(folder):
    change_json(folder, "radio.json", lambda facts: facts["settings"].update(model_macro="okumura_hata"))
    checks = spot_check(folder)
    assert [check.ok for check in checks] == [True, True, None, None, None]
    assert checks[-1].told == "未核对：模型 okumura_hata 没有另写的公式"


def test_without_any_of_the_files_nothing_is_checked(folder):
    for name in SPOT_FILES:
        (folder / name).unlink()
    (check,) = spot_check(folder)
    assert check.ok is None
    assert check.told == "证书没有附预测资料，未抽查服务关系"


@pytest.mark.parametrize("name", SPOT_FILES)
def test_one_file_missing_or_damaged(folder, name):
    kept = (folder / name).read_bytes()
    (folder / name).write_bytes(kept[:len(kept) // 3])
    assert False in verdicts(folder).values()
    (folder / name).unlink()
    (check,) = spot_check(folder)
    assert check.ok is False
    assert check.found == f"缺少 {name}"


@pytest.mark.parametrize(("change", "told"), [
    (lambda arrays: arrays.update(indices=arrays["indices"] + 10_000), "格号超出范围"),
    (lambda arrays: arrays.update(indptr=arrays["indptr"][:-1]), "个数不符"),
    (lambda arrays: arrays.update(row=arrays["row"] + 500), "不在 surface.tif 的范围内"),
    (lambda arrays: arrays.pop("service"), "service")])
def test_a_reach_at_odds_with_itself(folder, change, told):
    change_reach(folder, change)
    (check,) = spot_check(folder)
    assert check.ok is False
    assert told in check.told


def test_a_pair_at_the_threshold_is_told_but_not_judged(folder):
    """The threshold is set to the very probability of a served pair: nothing follows from the last digits."""
    pair = next(pair for pair in spot_pairs(folder) if pair.service > 0.0)
    change_json(folder, "radio.json", lambda facts: facts.update(served_probability=pair.chance.probability + 1e-7))
    again = next(other for other in spot_pairs(folder) if (other.site_id, other.cell) == (pair.site_id, pair.cell))
    assert again.verdict == "edge"
    assert "恰在门限上" in str(again)


def test_nothing_to_draw(folder):
    """No candidate serves anything: the pairs not served are checked, and that there are none served is told."""
    change_reach(folder, lambda arrays: store(arrays, np.zeros_like(dense(arrays))))
    found = {check.name: check for check in spot_check(folder)}
    assert found["spot_served"].ok is None
    assert found["spot_served"].told == "没有这样的配对可抽"


def test_out_of_range_is_said_in_words():
    nothing = Chance(0.0, np.inf, -np.inf, np.nan, False, "", False)
    assert "计算范围之外" in str(SpotPair("A", False, 0, 1, 2, 9000.0, nothing, 1.0, "contradicts"))


def test_drawing_by_hand():
    """A row of six cells: A at column 0 has a range of 4 and serves 0-2, B serves nothing and has no sectors."""
    reach = StoredReach(np.array([0, 3, 3]), np.array([0, 1, 2]), np.ones(3), np.zeros(6, int), np.arange(6),
                        np.array([0]))
    rng = np.random.default_rng(0)
    assert sorted(draw_served(reach, rng, 10)) == [(0, 0), (0, 1), (0, 2)]
    masts = np.zeros((2, 2), int), np.array([4, -1])
    assert sorted(draw_unserved(reach, rng, 10, masts)) == [(0, 3), (0, 4)]
    assert (reach.service_of(0, 2), reach.service_of(0, 3)) == (1.0, 0.0)
