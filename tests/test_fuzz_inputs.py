"""Damaged files of every format end in layers that add up or in an error in words; ``make fuzz`` tries many more."""

from __future__ import annotations

import sys

import pytest
from fuzz.good_files import GOOD, write_all
from fuzz.mutate import make_case
from fuzz.run import CLEAN, FORMATS, Worker, describe, plan
from regressions.found import FOUND
from regressions.hostile import HOSTILE

CASES, FIRST_SEED = 200, 1
CASES_BY_NAME = {**FOUND, **HOSTILE}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and time are set as Linux has them")


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "good"
    write_all(folder)
    return folder


def test_formats_are_those_written():
    assert set(FORMATS) == set(GOOD)


def test_same_seed_same_files(good, tmp_path):
    for name in FORMATS:
        first = make_case(name, 5, good, tmp_path / "first")
        again = make_case(name, 5, good, tmp_path / "again")
        other = make_case(name, 6, good, tmp_path / "other")
        assert first == again, name
        assert first != other, name
        if not any(done.startswith("row") for done in first.done):  # writers may put the time into what they write
            assert tree(tmp_path / "first") == tree(tmp_path / "again"), name


def test_parent_notices_crash_hang_and_memory(tmp_path):
    worker = Worker(tmp_path, bare=True)
    try:
        assert [worker.run(f"selftest-{name}", 0)["kind"] for name in ("crash", "memory", "hang", "fine")] == [
            "crash", "memory", "hang", "read"]
    finally:
        worker.close()


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp("worker"))
    yield worker
    worker.close()


def test_good_files_are_read(worker):
    """What is damaged elsewhere is read where it is whole: otherwise the fuzzer tries nothing."""
    assert worker.run("selftest-fine", 0)["kind"] == "read"
    assert {name: said for name, said in worker.good.items() if said != "read"} == {}


@pytest.mark.parametrize("name", CASES_BY_NAME)
def test_found_before(name, worker, tmp_path):
    found = CASES_BY_NAME[name]
    found.write(tmp_path)
    outcome = worker.read(tmp_path / found.path, found.layer, found.options, found.crs)
    assert outcome["kind"] in CLEAN, describe(outcome)


def test_damaged_files(worker):
    found = [worker.run(name, seed) for name, seed in plan(CASES, FIRST_SEED)]
    bad = [describe(outcome) for outcome in found if outcome["kind"] not in CLEAN]
    assert not bad, "\n\n".join(bad)
    kinds = [outcome["kind"] for outcome in found]
    assert kinds.count("read") >= CASES // 4, "most damage is refused: the fuzzer does not reach far"
    assert kinds.count("told") >= CASES // 20, "the damage does no harm"
