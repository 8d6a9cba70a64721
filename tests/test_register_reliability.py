"""Programs that die, wait for each other, or may not write: the register is readable, in the old state or the new."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, check_seals, edit_rows, open_register, read_rows, reading, writing
from siteplan.register.store.checking import logged_ids
from siteplan.register.store.connect import place_of
from tests.registers import CITY, CRS, day, moment, stamp, toy_register

FORK = multiprocessing.get_context("fork")
BATCH, NOBODY = 120, 65534


def start(work: Callable[..., Any], *arguments: Any) -> Any:
    process = FORK.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def told_by(work: Callable[[], Any], *, as_nobody: bool = False) -> str:
    """What a process of its own has to say: the message of its RegisterError, or ``done``."""
    asked, answer = FORK.Pipe(duplex=False)

    def run() -> None:
        if as_nobody and os.getuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        try:
            work()
        except RegisterError as error:
            answer.send(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            answer.send(f"traceback: {error!r}")
        else:
            answer.send("done")

    process = start(run)
    text = str(asked.recv()) if asked.poll(60) else "nothing"
    process.join(10)
    return text


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may enter."""
    folder = Path(tempfile.mkdtemp(prefix="siteplan-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def add_site(register: Register, name: str = "甲", number: int = 1) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [{"name": name, "state": "储备"}] * number)


def write_batches(where: str, first: int, done: Any) -> None:
    """Transactions without end, each as a sync does it: a batch comes, the batch before it moves on."""
    register = open_register(where)
    for batch in range(first, first + 10_000):
        with writing(register, stamp("2026-03-01")) as transaction:
            table = read_rows(register, "sites", connection=transaction.connection)
            add_rows(transaction, "sites", [{"name": "甲", "study_id": str(batch), "state": "储备"}] * BATCH)
            edit_rows(transaction, "sites", {row_id: {"state": "具备条件", "note": f"经过 {batch}"}
                                             for row_id in table.index[table["study_id"] == str(batch - 1)]})
        done.value += 1


def test_kill_9_at_any_moment_leaves_the_old_state_or_the_new_one(register_place: str) -> None:
    toy_register(register_place)
    delays, last = random.Random(9), 0
    for number in range(12):
        done = FORK.Value("i", 0)
        process = start(write_batches, register_place, last + 1, done)
        while number % 3 == 0 and done.value == 0 and process.is_alive():
            time.sleep(0.01)
        time.sleep(delays.uniform(0.0, 0.35))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        register = open_register(register_place)
        with reading(register) as connection:
            table = read_rows(register, "sites", connection=connection)
            assert logged_ids(register, connection, "sites") == set(table.index)
            assert check_seals(register, connection=connection) == ()
        sizes = table.groupby(table["study_id"].astype(int))["state"].agg(["size", "nunique", "first"])
        last = int(sizes.index.max()) if len(sizes) else 0
        assert sizes.index.tolist() == list(range(1, last + 1))
        assert (sizes[["size", "nunique"]] == [BATCH, 1]).all().all()
        assert sizes["first"].tolist() == ["ready"] * (last - 1) + ["reserve"] * (last > 0)
        if register.place.path:
            with closing(sqlite3.connect(register.place.path)) as plain:
                assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert last > 2, "some batches were written between the kills"


def write_alone(where: str) -> None:
    register = open_register(where)
    for _ in range(8):
        add_site(register, f"写者 {os.getpid()}", 3)


def test_two_programs_that_write_at_once_both_succeed_and_no_event_is_lost(register_place: str) -> None:
    register = toy_register(register_place)
    writers = [start(write_alone, register_place) for _ in range(2)]
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert read_rows(register, "sites")["name"].value_counts().tolist() == [24, 24]
    assert check_seals(register) == ()


def test_who_waits_too_long_for_another_writer_is_told_so(register_place: str) -> None:
    register = toy_register(register_place)
    go, began = FORK.Event(), time.monotonic()
    asked, answer = FORK.Pipe(duplex=False)

    def try_to_write() -> None:
        go.wait(30)
        try:
            add_site(open_register(register_place, wait_s=0.3))
        except RegisterError as error:
            answer.send(str(error))

    start(try_to_write)
    with writing(register, stamp("2026-02-01")):
        go.set()
        told = str(asked.recv()) if asked.poll(20) else "nothing"
    assert "另一个程序正在使用储备库" in told
    assert "等了 0.3 秒" in told
    assert time.monotonic() - began < 15
    assert not len(read_rows(register, "sites"))


def test_a_reader_sees_one_state_while_another_program_writes(register_place: str) -> None:
    register = toy_register(register_place)
    add_site(register)
    go = FORK.Event()
    writer = start(lambda: go.wait(30) and add_site(open_register(register_place), number=5))
    with reading(register) as connection:
        assert len(read_rows(register, "sites", connection=connection)) == 1
        go.set()
        time.sleep(0.4)
        assert len(read_rows(register, "sites", connection=connection)) == 1
    writer.join(60)
    assert len(read_rows(register, "sites")) == 6


def test_a_program_that_keeps_the_file_open_for_reading_is_named_as_the_cause(tmp_path: Path) -> None:
    toy_register(tmp_path / "register.gpkg")
    register = open_register(tmp_path / "register.gpkg", wait_s=0.2)
    with closing(sqlite3.connect(tmp_path / "register.gpkg", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM sites").fetchall()
        with pytest.raises(RegisterError, match="关闭 QGIS 等打开它的程序"):
            add_site(register)
    assert not len(read_rows(register, "sites"))
    add_site(register)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_register_is_read_and_not_written(open_folder: Path, what: str) -> None:
    path = open_folder / "register.gpkg"
    toy_register(path)
    if what == "file":
        path.chmod(0o444)
    else:
        path.chmod(0o666)
        open_folder.chmod(0o555)
    assert told_by(lambda: read_rows(open_register(path), "organisations"), as_nobody=True) == "done"
    told = told_by(lambda: add_site(open_register(path)), as_nobody=True)
    assert "只读" in told or "没有权限" in told, told
    assert "traceback" not in told
    assert check_seals(open_register(path)) == ()


def test_no_register_is_made_where_nothing_may_be_written(open_folder: Path) -> None:
    (open_folder / "plan").write_text("a file", encoding="utf-8")
    assert "不能写入" in told_by(lambda: toy_register(open_folder / "plan" / "register.gpkg"))
    open_folder.chmod(0o555)
    assert "不能写入" in told_by(lambda: toy_register(open_folder / "register.gpkg"), as_nobody=True)
    assert [path.name for path in open_folder.iterdir()] == ["plan"]


def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    path = tmp_path / "register.gpkg"
    register = toy_register(path)
    add_site(register)

    def fill() -> None:
        limit = path.stat().st_size + 50_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        add_site(open_register(path), "长" * 5000, 500)

    told = told_by(fill)
    assert "磁盘已满" in told, told
    assert len(read_rows(open_register(path), "sites")) == 1
    assert check_seals(register) == ()


def test_what_a_power_cut_leaves_behind_is_rolled_back_when_it_is_opened(tmp_path: Path) -> None:
    register = toy_register(tmp_path / "register.gpkg")
    add_site(register)
    (tmp_path / "cut").mkdir()
    with writing(register, stamp("2026-03-01")) as transaction:
        transaction.connection.exec_driver_sql("PRAGMA cache_size = 10")  # pages go to the file before the end
        add_rows(transaction, "sites", [{"name": "长" * 500, "state": "储备"}] * 500)
        transaction.flush()
        for name in ("register.gpkg", "register.gpkg-journal"):
            shutil.copy(tmp_path / name, tmp_path / "cut" / name)
    again = open_register(tmp_path / "cut" / "register.gpkg")
    assert len(read_rows(again, "sites")) == 1
    assert check_seals(again) == ()


def test_a_journal_of_nobody_does_no_harm(tmp_path: Path) -> None:
    register = toy_register(tmp_path / "register.gpkg")
    (tmp_path / "register.gpkg-journal").write_bytes(b"\x00" * 2048)
    add_site(register)
    assert check_seals(open_register(tmp_path / "register.gpkg")) == ()


def test_a_register_is_made_where_files_have_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    toy_register(tmp_path / "register.gpkg")
    with pytest.raises(RegisterError, match="已存在,没有改动它"):
        toy_register(tmp_path / "register.gpkg")
    assert [path.name for path in tmp_path.iterdir()] == ["register.gpkg"]
    assert len(read_rows(open_register(tmp_path / "register.gpkg"), "organisations")) == 16


@pytest.mark.parametrize("address", [
    "postgresql://me:s3cret@127.0.0.1:1/none?schema=x", "postgresql://me:s3cret@127.0.0.1:port/none",
    "mysql://me:s3cret@db/none", "postgresql://me@127.0.0.1:1/none?password=s3cret&connect_timeout=1",
    "postgresql://me:s3cret@/none?host=/nowhere&schema=x"])
def test_a_password_is_never_shown(address: str) -> None:
    from siteplan.register import create_register

    with pytest.raises(RegisterError) as caught:
        create_register(address, CITY, CRS, moment(day("2026-01-05")))
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in f"{error} {error!r}"
        error = error.__cause__
    if "mysql" not in address and ":port" not in address:
        place = place_of(address)
        assert "s3cret" not in f"{place} {place!r} {place.shown}"
        assert "s3cret" in place.url
