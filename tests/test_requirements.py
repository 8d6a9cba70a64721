"""Every requirement of the government papers has one row, and what the row names is there."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from siteplan.cli import app
from siteplan.params import LAYER_NAMES, StudyParams
from siteplan.register import register_tables
from siteplan.register.list_kinds import KINDS
from siteplan.schema import load_columns
from siteplan.tables import read_table

ROOT = Path(__file__).resolve().parents[1]
DOMAIN = ROOT.parent / "shared" / "reference" / "domain.md"
PAGE = ROOT / "docs" / "requirements.md"
COMMAND_PAGES = [PAGE, ROOT / "docs" / "register.md", ROOT / "docs" / "outputs.md", ROOT / "README.md",
                 ROOT / "README.zh-CN.md", ROOT / "CHANGELOG.md"]
PAPERS = {"中山", "六盘水", "安康"}
SERVED = {"有", "部分", "只登记", "不做"}
IDS = [f"R{number:02d}" for first, last in ((1, 15), (20, 27), (30, 40), (50, 58), (60, 72))
       for number in range(first, last + 1)]
"""Numbers of the requirements; those between the groups stand for nothing."""
FILE = re.compile(r"[\w./-]+\.(csv|gpkg|xlsx|docx|html|png|json|shp|tif)")


@cache
def rows() -> list[list[str]]:
    """Cells of every row: id, requirement, papers, how far it is served, how, where."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| R")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@cache
def named() -> list[tuple[str, str]]:
    """Id and every name in backticks of its row."""
    return [(row[0], code) for row in rows() for code in codes(row[-2] + row[-1])]


def test_every_requirement_has_one_row() -> None:
    assert [row[0] for row in rows()] == IDS
    assert [row[0] for row in rows() if len(row) != 6 or not all(row)] == []


def test_the_list_of_requirements_is_that_of_the_papers() -> None:
    if not DOMAIN.is_file():
        pytest.skip(f"{DOMAIN.name} is not beside this checkout; the committed list of ids is tested")
    section = DOMAIN.read_text("utf-8").split("\n## 1")[1].split("\n## 2")[0]
    assert sorted(re.findall(r"^\| (R\d\d) \|", section, re.MULTILINE)) == IDS


def test_every_row_says_how_far_it_is_served_and_by_which_paper_it_is_asked() -> None:
    assert [row[0] for row in rows() if row[3] not in SERVED] == []
    assert [row[0] for row in rows() if not set(row[2].split("、")) <= PAPERS] == []
    assert [row[0] for row in rows() if row[3] in {"部分", "不做"} and not re.search("不|没有|只", row[4])] == []


def test_the_words_of_the_column_are_explained() -> None:
    told = PAGE.read_text("utf-8").split("\n## ")[0]
    assert set(re.findall(r"\*\*(\S+?)\*\*＝", told)) == SERVED


def is_named(dotted: str) -> bool:
    """Whether a dotted name can be imported."""
    parts = dotted.split(".")
    for number in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:number]))
        except ImportError:
            continue
        for part in parts[number:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def test_functions_that_rows_name_can_be_imported() -> None:
    dotted = {code for _, code in named() if code.startswith("siteplan.")}
    assert len(dotted) > 15
    assert sorted(name for name in dotted if not is_named(name)) == []


def command_fault(line: str) -> str:
    """What is wrong with a command line; empty for nothing."""
    words = [word for word in line.split("#", maxsplit=1)[0].split()[1:] if word != "--help"]
    at: Any = typer.main.get_command(app)
    while words and hasattr(at, "commands"):
        name = words.pop(0)
        if name not in at.commands:
            return f"no command {name}"
        at = at.commands[name]
    if at.name == "import" and words and words[0].isascii() and words[0] not in {*KINDS, "ledger"}:
        return f"no list {words[0]}"
    known = {option for parameter in at.params for option in parameter.opts}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    return f"no option {'、'.join(unknown)}" if unknown else ""


def commands_of(page: Path) -> list[str]:
    """Command lines in code blocks, and whole ones in backticks."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("siteplan ")]
    inline = codes(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [*lines, *(code for code in inline if code.startswith("siteplan ") and "..." not in code)]


@pytest.mark.parametrize("page", COMMAND_PAGES, ids=lambda page: page.name)
def test_commands_that_pages_name_exist(page: Path) -> None:
    found = commands_of(page)
    assert found
    assert {line: command_fault(line) for line in found if command_fault(line)} == {}


def test_a_command_that_is_not_there_is_found() -> None:
    assert command_fault("siteplan register sync 成果 --author 规划科") == ""
    assert command_fault("siteplan register synch 成果") == "no command synch"
    assert "--as-off" in command_fault("siteplan register list sites --as-off 2026-06-30")
    assert command_fault("siteplan register import wroks 文件") == "no list wroks"


def test_files_that_rows_name_are_written() -> None:
    outputs = (ROOT / "docs" / "outputs.md").read_text("utf-8")
    files = {code for _, code in named() if FILE.fullmatch(code)}
    assert len(files) > 8
    assert sorted(name for name in files if f"`{name}`" not in outputs) == []


def is_known_word(code: str) -> bool:
    """A layer, a field, a rule, a setting of the study file."""
    fields = {name for schema in load_columns().values() for name in schema.fields}
    fields |= {name for table in register_tables().values() for name in table.fields}
    if code in LAYER_NAMES or code in fields or code in read_table("rules")["rules"]:
        return True
    table, _, key = code.partition(".")
    part = StudyParams.model_fields.get(table)
    return part is not None and key in getattr(part.annotation, "model_fields", {})


def test_nothing_else_stands_in_backticks_but_words_of_the_program() -> None:
    rest = [(number, code) for number, code in named()
            if not code.startswith(("siteplan ", "siteplan.")) and not FILE.fullmatch(code)]
    assert [(number, code) for number, code in rest if not is_known_word(code)] == []


def test_defaults_without_a_source_are_told() -> None:
    """What no paper gives stands at the end of the page."""
    end = PAGE.read_text("utf-8").split("\n## ")[-1]
    assert all(word in end for word in ("未经核实", "13", "6", "考评权重", "工期", "单价"))
