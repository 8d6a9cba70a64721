"""The house rules that a program can check: order of imports, sizes, names, nothing of one machine in the files."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "siteplan"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES, MAX_FUNCTION_LINES, MAX_ARGUMENTS, MAX_COLUMNS = 400, 60, 8, 120
CATCH_ALL = {"utils", "util", "common", "core", "manager", "helpers", "misc"}
ARROW_STAGES = [("grid",), ("layers",), ("surface",), ("radio", "_kernels"), ("coverage",), ("gaps",), ("candidates",),
                ("selection",), ("opening",), ("plan",), ("export", "maps"), ("sheets",)]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def module_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions_of(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, FUNCTIONS)]


def lines_without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def imported_rooms(path: Path) -> set[str]:
    """Rooms (top-level modules) of the package that a file imports, at any depth of the code."""
    rooms: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "siteplan":
            names = [f"siteplan.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("siteplan.")}
    return rooms


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def repository_files() -> list[Path]:
    """Files that are, or would be, in the repository; what git ignores is left out."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: the list of tracked files is unknown")
    command = [git, "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name]
    return [path for path in (ROOT / name for name in names) if path.is_file()]


def test_import_contracts(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert status == 0, capfd.readouterr().out


def test_contracts_are_all_there() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    ids = {contract["id"] for contract in contracts}
    assert ids == {"one-way", "arrays-only", "numba-in-kernels", "folium-in-maps", "verify-alone"}
    one_way = next(contract for contract in contracts if contract["id"] == "one-way")
    assert one_way["exhaustive"], "a module outside the list must fail the build"


def test_every_folder_with_code_is_a_package() -> None:
    """Folders without ``__init__.py`` are invisible to the import contracts and to the wheel."""
    folders = {path.parent for path in MODULES}
    assert [module_name(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_design_states_the_flow() -> None:
    """The flow line of DESIGN.md names the stages in the order that is tested here."""
    text = (ROOT / "DESIGN.md").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.count("->") > 5)
    stages = [tuple(re.findall(r"\w+", stage)) for stage in line.strip("`").split("->")]
    assert stages == [tuple(name.removeprefix("_") for name in stage) for stage in ARROW_STAGES]


def test_no_stage_imports_a_later_one() -> None:
    order = {name: number for number, stage in enumerate(ARROW_STAGES) for name in stage}
    wrong = [f"{module_name(path)} imports {room}" for path in MODULES if room_of(path) in order
             for room in sorted(imported_rooms(path)) if order.get(room, -1) > order[room_of(path)]]
    assert wrong == []


def test_wiring_is_imported_by_nobody() -> None:
    """``study``, ``cli`` and the edges out are at the top."""
    top = {"study", "cli", "__init__"}
    above = {"cli": {"__main__"}, "study": {"cli", "__main__", "__init__"}, "report": {"cli"},
             "sheets": {"report", *top}, "export": {"report", "sheets", *top}, "maps": {"report", "sheets", *top}}
    wrong = [f"{module_name(path)} imports {room}" for path in MODULES for room in sorted(imported_rooms(path))
             if room in above and room_of(path) not in above[room] | {room}]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_is_small(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MAX_LINES, f"{module_name(path)} has {lines} lines"
    sizes = {node.name: lines_without_docstring(node) for node in functions_of(path)}
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}, module_name(path)


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tests").glob("*.py"))], ids=module_name)
def test_lines_are_short(path: Path) -> None:
    """In characters; ruff counts columns, and a Chinese character as two."""
    lines = path.read_text("utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > MAX_COLUMNS] == []


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_functions_have_few_arguments(path: Path) -> None:
    many = {}
    for node in functions_of(path):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = sum(argument.arg not in {"self", "cls"} for argument in arguments)
        if count > MAX_ARGUMENTS:
            many[node.name] = count
    assert many == {}, f"{module_name(path)}: more than {MAX_ARGUMENTS} arguments"


def test_no_assert_in_the_package() -> None:
    found = [f"{module_name(path)}:{node.lineno}" for path in MODULES for node in ast.walk(tree_of(path))
             if isinstance(node, ast.Assert)]
    assert found == []


def test_no_catch_all_names() -> None:
    names = [module_name(path) for path in MODULES if {path.stem.strip("_"), path.parent.name} & CATCH_ALL]
    assert names == []


def test_no_relative_imports() -> None:
    found = [f"{module_name(path)}:{node.lineno}" for path in MODULES for node in ast.walk(tree_of(path))
             if isinstance(node, ast.ImportFrom) and node.level]
    assert found == []


def test_no_path_of_one_machine() -> None:
    """No absolute path of somebody's computer in any text file of the repository."""
    folders = "|".join(("work", "root", "home", "tmp", "Users"))
    pattern = re.compile(rf"(?<![\w.~>)}}*-])/(?:{folders})/[\w.]|\b[A-Z]:\\\\?Users\\".encode())
    found = []
    for path in repository_files():
        content = path.read_bytes()
        if b"\0" in content[:4096]:
            continue
        found += [f"{module_name(path)}:{number}" for number, line in enumerate(content.splitlines(), 1)
                  if pattern.search(line)]
    assert found == []


def test_files_are_small() -> None:
    """A clone stays quick: no file above 5 MB, no more than 40 MB together."""
    sizes = {module_name(path): path.stat().st_size for path in repository_files()}
    assert {name: size for name, size in sizes.items() if size > 5e6} == {}
    assert sum(sizes.values()) < 40e6
