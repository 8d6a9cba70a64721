"""Output folders: one program at a time, all or nothing, and nothing of a killed one stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from siteplan.errors import ExportError
from siteplan.export import _staging
from siteplan.export._folder_lock import LOCK, locked
from siteplan.export._staging import check_folder, write_files, write_parts

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and flock")


def text(words: str):
    return lambda path: path.write_text(words)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@posix
@pytest.mark.parametrize("write", [
    lambda out: write_files(out, [("a", text("2"))]), lambda out: write_parts(out, lambda new: text("2")(new / "a")),
    check_folder], ids=["files", "parts", "check"])
def test_a_second_program_is_told_at_once(tmp_path: Path, write) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / ".siteplan-live").mkdir()
    (tmp_path / ".siteplan-live" / "half").write_text("of the first")
    with locked(tmp_path.parent), pytest.raises(ExportError, match="正在写"):  # another folder does not matter
        _hold_and(tmp_path, write)
    write(tmp_path)  # free again
    assert not list(tmp_path.glob(".siteplan*"))


def _hold_and(folder: Path, write) -> None:
    holder = subprocess.Popen([sys.executable, "-c", f"""
import fcntl, os, sys
handle = os.open({str(folder / LOCK)!r}, os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            write(folder)
        finally:
            assert (folder / "a").read_text() == "1"
            assert (folder / ".siteplan-live" / "half").exists()
    finally:
        holder.communicate("")


KILLED = """
import os, signal, sys
from pathlib import Path
from siteplan.export._staging import write_files
def kill(path):
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
write_files(Path(sys.argv[1]), [("secret.gpkg", lambda path: path.write_text("whole")), ("b", kill)])
"""


@posix
def test_what_a_killed_program_left_goes_at_the_next_start(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert run.returncode == -9
    assert [Path(name).name for name in names(tmp_path)] == ["b", "secret.gpkg", LOCK]
    write_files(tmp_path, [("b", text("2"))])
    assert names(tmp_path) == ["b"]


RACE = """
import sys, time
from pathlib import Path
from siteplan.errors import ExportError
from siteplan.export._staging import write_parts
def write(new):
    (new / "shp").mkdir()
    for name in "ab":
        (new / "shp" / name).write_text(sys.argv[2])
        time.sleep(0.002)
    (new / "metadata").write_text(sys.argv[2])
done, end = 0, time.time() + 2
while time.time() < end:
    try:
        write_parts(Path(sys.argv[1]), write)
        done += 1
    except ExportError as error:
        assert "正在写" in str(error), error
print(done)
"""


@posix
def test_programs_that_write_at_once_never_mix(tmp_path: Path) -> None:
    """The lock file comes and goes between them: nobody fails for another reason, and all files are of one."""
    runs = [subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path), word], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) for word in ("one", "two")]
    told = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert sum(int(out) for out, _ in told) > 3
    assert names(tmp_path) == ["metadata", "shp/a", "shp/b"]
    assert len({(tmp_path / name).read_text() for name in names(tmp_path)}) == 1


def test_an_old_part_whose_place_is_empty_goes_back(tmp_path: Path) -> None:
    """Killed between two renames (where the system cannot swap names): the old folder is not lost."""
    old = tmp_path / ".siteplan-x" / "old"
    (old / "shp").mkdir(parents=True)
    (old / "shp" / "a").write_text("old")
    (old / "there").write_text("old")
    (tmp_path / "there").write_text("new")
    check_folder(tmp_path)
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {"shp/a": "old", "there": "new"}


def test_a_move_that_fails_takes_all_files_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, [(name, text("1")) for name in ("a", "b/c", "d")])
    put, moved = _staging._put, []

    def fail(part: Path, place: Path, kept: Path) -> None:
        moved.append(part.name)
        if len(moved) == 3:
            raise PermissionError(13, "in use", str(place))
        put(part, place, kept)

    monkeypatch.setattr(_staging, "_put", fail)
    with pytest.raises(ExportError, match="其他程序"):
        write_files(tmp_path, [(name, text("2")) for name in ("a", "b/c", "d", "e")])
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {"a": "1", "b/c": "1", "d": "1"}


def test_own_old_files_go_when_the_new_ones_are_there(tmp_path: Path) -> None:
    """An atlas of three sheets after one of five; files of others stay."""
    for name in ("s_001.png", "s_002.png", "s_005.png", "s_photo.png", "s_005.png.txt"):
        (tmp_path / name).write_text("1")
    (tmp_path / "s_009.png").mkdir()

    def fail(path: Path) -> None:
        raise ExportError("no")

    with pytest.raises(ExportError, match="no"):
        write_files(tmp_path, [("s_001.png", fail)], ["s_[0-9][0-9][0-9].png"])
    assert len(names(tmp_path)) == 5
    write_files(tmp_path, [("s_001.png", text("2")), ("s_002.png", text("2"))], ["s_[0-9][0-9][0-9].png"])
    assert names(tmp_path) == ["s_001.png", "s_002.png", "s_005.png.txt", "s_photo.png"]


def test_files_are_on_the_disk_before_they_are_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    put, to_disk = _staging._put, _staging._to_disk
    monkeypatch.setattr(_staging, "_put", lambda *given: (done.append(f"move {given[0].name}"), put(*given))[1])
    monkeypatch.setattr(_staging, "_to_disk", lambda path: (done.append(path.name), to_disk(path))[1])
    write_files(tmp_path, [("x/a", text("1")), ("b", text("1"))])
    assert set(done[:3]) == {"b", "x", "a"}
    assert done[3:5] == ["move b", "move a"]
    assert set(done[5:]) == {tmp_path.name, "x"}


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be held there; so nothing is cleared either: it may be of a program that runs."""
    monkeypatch.setattr("siteplan.export._folder_lock._held", lambda handle: False)
    (tmp_path / ".siteplan-live").mkdir()
    write_files(tmp_path, [("a", text("1"))])
    assert (tmp_path / ".siteplan-live").is_dir()
    assert (tmp_path / "a").read_text() == "1"
