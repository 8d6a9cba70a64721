"""Damaged registers: refused with what can be saved; what is saved is proved by seals and by the log."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
import shapely

from siteplan.errors import RegisterError
from siteplan.register import (
    add_rows,
    check_seals,
    edit_rows,
    open_register,
    read_events,
    read_rows,
    rescue,
    salvage,
    writing,
)
from siteplan.register.store.pages import records
from tests.registers import day, moment, stamp, toy_register

PAGE, SITES = 4096, 300
NOW = moment(day("2026-07-01"))


@cache
def sound_bytes() -> bytes:
    """A register of some hundred sites, every other one changed, some with texts longer than a page."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        register = toy_register(Path(folder) / "register.gpkg")
        with writing(register, stamp("2026-02-01")) as transaction:
            ids = add_rows(transaction, "sites", [{
                "name": f"站{number}", "state": "储备", "geometry": shapely.Point(5e5 + number, 2.5e6),
                "reason": "因" * (20 * number % 3000)} for number in range(SITES)])
        with writing(register, stamp("2026-03-01", "手续齐全")) as transaction:
            edit_rows(transaction, "sites", {row_id: {"state": "ready", "note": "长" * 50} for row_id in ids[::2]})
        return (Path(folder) / "register.gpkg").read_bytes()


def zeroed(first: int, last: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:first] + bytes(min(last, len(data)) - first) + data[last:]


def flipped(count: int, seed: int) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        out, chance = bytearray(data), random.Random(seed)
        for _ in range(count):
            out[chance.randrange(100, len(out))] ^= 1 << chance.randrange(8)
        return bytes(out)
    return flip


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "the head is gone": zeroed(0, 100), "the first page is gone": zeroed(0, PAGE),
    "cut in half": lambda data: data[:len(data) // 2],
    "one byte short": lambda data: data[:-1], "pages in the middle are empty": zeroed(300 * PAGE, 330 * PAGE),
    "pages of rows are empty": zeroed(40 * PAGE, 60 * PAGE), "ten bits flipped": flipped(10, 1),
    "a thousand bits flipped": flipped(1000, 2)}


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "register.gpkg"
    path.write_bytes(sound_bytes())
    return path


def what_is_told(path: Path) -> str:
    """The refusal, or where it opens the problems of its seals."""
    try:
        return " ".join(map(str, check_seals(open_register(path))))
    except RegisterError as error:
        return str(error)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_register_is_refused_in_words_and_what_is_left_is_saved(sound: Path, damage: str) -> None:
    before = read_rows(open_register(sound), "sites")
    sound.write_bytes(DAMAGE[damage](sound.read_bytes()))
    broken = sound.read_bytes()
    message = what_is_told(sound)
    assert "被其他程序" in message or ("已损坏" in message and "可救出" in message)
    told = rescue(sound, sound.with_name("saved.gpkg"), NOW)
    assert sound.read_bytes() == broken, "the damaged file is evidence"
    assert told.why
    saved = open_register(sound.with_name("saved.gpkg"))
    table, sites = read_rows(saved, "sites"), told.tables["sites"]
    assert (len(table), sites.expected) == (sites.readable + len(sites.restored) + len(sites.doubtful), SITES)
    assert set(before.index) == set(table.index) | set(sites.lost)
    assert {problem.row for problem in check_seals(saved, ["sites"])} - set(sites.lost) == set(sites.doubtful)
    sure = sorted(set(table.index) - set(sites.doubtful))
    if not told.doubtful_events and not told.lost_events:
        assert before.loc[sure].equals(table.loc[sure])
    same = [row_id for row_id in sure if row_id not in sites.restored]
    assert before.loc[same].equals(table.loc[same])
    with writing(saved, stamp("2026-07-02")) as transaction:
        (new,) = add_rows(transaction, "sites", [{"name": "新", "state": "储备"}])
    assert new not in before.index


def test_damage_that_spares_the_tables_loses_nothing(sound: Path) -> None:
    sound.write_bytes(DAMAGE["the first page is gone"](sound.read_bytes()))
    told = rescue(sound, sound.with_name("saved.gpkg"), NOW, city="溪口市")
    assert told.tables["sites"].readable == SITES
    assert told.lost_events == ()
    assert check_seals(open_register(sound.with_name("saved.gpkg"))) == ()
    assert told.sentence.startswith("责任单位 16/16、站址 300/300、变更记录 766/766")


def test_a_row_that_is_gone_is_built_again_from_the_log(sound: Path) -> None:
    before = read_rows(open_register(sound), "sites")
    with closing(sqlite3.connect(sound)) as plain, plain:
        plain.execute("DELETE FROM sites WHERE id IN ('ZZ000001', 'ZZ000002')")
        plain.execute("UPDATE sites SET name = '改' WHERE id = 'ZZ000003'")
    told = rescue(sound, sound.with_name("saved.gpkg"), NOW)
    assert told.tables["sites"].restored == ("ZZ000001", "ZZ000002", "ZZ000003")
    saved = open_register(sound.with_name("saved.gpkg"))
    assert before.equals(read_rows(saved, "sites"))
    assert check_seals(saved) == ()


def test_events_that_are_lost_are_told_once_and_do_not_trouble_the_new_register(sound: Path) -> None:
    with closing(sqlite3.connect(sound)) as plain, plain:
        plain.execute("DELETE FROM events WHERE seq IN (700, 701)")
    assert [problem.row for problem in check_seals(open_register(sound))] == ["700", "701"]
    told = rescue(sound, sound.with_name("saved.gpkg"), NOW)
    assert told.lost_events == (700, 701)
    saved = open_register(sound.with_name("saved.gpkg"))
    assert check_seals(saved) == ()
    assert salvage(sound.with_name("saved.gpkg")).lost_events == ()
    assert len(read_events(saved, with_void=True)) == 764


@pytest.mark.parametrize(("content", "words"), [
    (b"", "文件是空的"), (b"S", "不是 GeoPackage 文件"), ("站址,经度\n".encode() * 900, "不是 GeoPackage 文件"),
    (b"SQLite format 3\x00" + bytes(5000), "已损坏"), (bytes(9000), "不是 GeoPackage 文件")])
def test_a_file_that_is_no_register_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "register.gpkg"
    path.write_bytes(content)
    with pytest.raises(RegisterError, match=words):
        open_register(path)
    with pytest.raises(RegisterError, match="没有可救出"):
        rescue(path, tmp_path / "saved.gpkg", NOW)
    assert [found.name for found in tmp_path.iterdir()] == ["register.gpkg"]


def test_a_geopackage_of_something_else_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    import geopandas as gpd

    gpd.GeoDataFrame({"name": ["甲"]}, geometry=[shapely.Point(0, 0)], crs="EPSG:4547").to_file(tmp_path / "other.gpkg")
    (tmp_path / "folder.gpkg").mkdir()
    for name, words in (("other.gpkg", "不是储备库"), ("folder.gpkg", "这是文件夹"), ("none.gpkg", "文件不存在")):
        with pytest.raises(RegisterError, match=words):
            open_register(tmp_path / name)
        with pytest.raises(RegisterError, match=r"没有可救出|读不了"):
            salvage(tmp_path / name)


@pytest.mark.parametrize(("statement", "words"), [
    ("DROP TABLE sites", "表被删除"), ("ALTER TABLE sites RENAME COLUMN state TO zustand", "字段被删除或改名"),
    ("DELETE FROM register_meta WHERE key = 'crs'", "说明表被改动"),
    ("UPDATE register_meta SET value = 'x' WHERE key = 'version'", "说明表"),
    ("UPDATE register_meta SET value = 'EPSG:999999' WHERE key = 'crs'", "说明表"),
    ("UPDATE register_meta SET value = '99' WHERE key = 'version'", "请升级 siteplan")])
def test_a_register_whose_structure_was_changed_is_refused(sound: Path, statement: str, words: str) -> None:
    with closing(sqlite3.connect(sound)) as plain, plain:
        plain.execute(statement)
    with pytest.raises(RegisterError, match=words):
        open_register(sound)


def test_pages_read_one_by_one_give_what_sqlite_gives(sound: Path) -> None:
    with closing(sqlite3.connect(sound)) as plain:
        rows = plain.execute("SELECT fid, id, name, reason, seal FROM sites").fetchall()
        at = [column[1] for column in plain.execute("PRAGMA table_info(sites)")]
    found = {(rowid, *(values[at.index(name)] for name in ("id", "name", "reason", "seal")))
             for rowid, values in records(sound.read_bytes()) if len(values) == len(at)}
    assert set(rows) <= found


def test_bytes_by_chance_are_read_without_a_fault() -> None:
    chance = random.Random(3)
    for _ in range(60):
        page = bytearray(chance.randbytes(PAGE))
        page[0], page[3], page[4] = 0x0D, 0, chance.randrange(200)
        list(records(bytes(PAGE) + bytes(page)))
