"""A full disk while a workbook is written is one sentence: no traceback, no half of a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest

from siteplan.errors import ExportError
from siteplan.export._workbook import CREATED, add_sheet, open_book

resource = pytest.importorskip("resource", reason="the size of files is limited on Unix alone")
SCRIPT = """
import resource, sys
from pathlib import Path
from siteplan.errors import ExportError
from siteplan.export._workbook import add_sheet, open_book

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with open_book(Path(sys.argv[1]), is_small=sys.argv[2] == "small") as book:
        add_sheet(book, "甲", ["名称"], [[str(hash(str(number)))] for number in range(20_000)], ["甲"], {})
except ExportError as error:
    print("told:", error)
"""


@pytest.mark.parametrize("how", ["small", "large"])
def test_a_full_disk_is_told_without_a_traceback(tmp_path: Path, how: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "a.xlsx"), how], capture_output=True, text=True,
                          check=False, encoding="utf-8")
    assert done.stderr == ""
    assert done.stdout.startswith("told:")
    assert "a.xlsx" in done.stdout
    assert not list(tmp_path.glob(".book-*"))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"a\.xlsx"), open_book(tmp_path / "none" / "a.xlsx"):
        pass


def test_what_the_library_refuses_is_told(tmp_path: Path) -> None:
    def write_twice() -> None:
        with open_book(tmp_path / "a.xlsx") as book:
            for _ in range(2):
                add_sheet(book, "甲", ["名称"], [], ["甲"], {})

    with pytest.raises(ExportError, match=r"a\.xlsx 不能写出"):
        write_twice()
    assert not list(tmp_path.iterdir())


def test_a_workbook_is_made_on_a_fixed_day_and_equal_each_time(tmp_path: Path) -> None:
    for name in ("one.xlsx", "two.xlsx"):
        with open_book(tmp_path / name, "清单") as book:
            add_sheet(book, "甲", ["名称"], [["=1+1"]], ["甲"], {})
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    read = openpyxl.load_workbook(tmp_path / "one.xlsx")
    assert (read.properties.title, read.properties.created) == ("清单", CREATED)
    assert read["甲"]["A3"].data_type == "s"
