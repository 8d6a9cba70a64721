"""Every notebook runs from start to end on the sample city, and is committed without outputs."""

from __future__ import annotations

import ast
import gc
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from traitlets import default

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_CODE_CELLS = 15
SAME_STEPS = ("04_gaps", "06_selection")


class ThisPython(KernelSpecManager):
    """Offers one kernel, the running interpreter, whatever kernels the machine has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python", env={"PYTHONPATH": str(ROOT)})


class ThisPythonManager(AsyncKernelManager):
    """Starts, and stops, the kernel of :class:`ThisPython`."""

    @default("kernel_spec_manager")
    def _this_python(self) -> KernelSpecManager:
        return ThisPython(parent=self)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample_run_path: Path) -> None:
    """All of them as they are; where one asks for the plan of the sample city as a whole it gets the one run of it.

    The first goes through every step for itself; those that go the same way again get the steps of that run, too.
    """
    book = read(path)
    served = ["serve_sample_run", *(["serve_sample_steps"] if path.stem in SAME_STEPS else [])]
    lines = [f"from tests.sample_run import Path, {', '.join(served)}",
             *(f"{name}(Path({str(sample_run_path)!r}))" for name in served)]
    book.cells.insert(0, nbformat.v4.new_code_cell("\n".join(lines)))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "agg")
    client = NotebookClient(book, kernel_manager_class=ThisPythonManager, timeout=300, startup_timeout=120,
                            resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    gc.collect()  # a socket left open is a warning here, and not in some later test


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stripped(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    cells = code_cells(path)
    assert [cell.source for cell in cells if cell.outputs or cell.execution_count is not None] == []
    assert "widgets" not in notebook.metadata
    assert [cell.source for cell in cells if not cell.source.strip()] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_holds_calls_not_logic(path: Path) -> None:
    cells = code_cells(path)
    assert 0 < len(cells) <= MAX_CODE_CELLS
    logic = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.While, ast.Try)
    found = [ast.unparse(node).splitlines()[0] for cell in cells
             for node in ast.walk(ast.parse(cell.source)) if isinstance(node, logic)]
    assert found == []


def test_plots_show_in_a_notebook_one_after_the_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The backend of notebooks loads with the first figure; after it every plot must still show."""
    first = ("import sys; sys.path.insert(0, 'tests')\nfrom test_coverage import flat, omni, params\n"
             "from siteplan.coverage import predict_coverage\nfrom siteplan.maps import plot_coverage\n"
             "got = predict_coverage(flat(21), omni(105, 105), params())\nplot_coverage(got, 'rsrp');")
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(text)
                  for text in (first, "plot_coverage(got, 'sinr');", "plot_coverage(got, 'server');")]
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    client = NotebookClient(book, kernel_manager_class=ThisPythonManager, timeout=300, startup_timeout=120,
                            resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    assert [any("image/png" in out.get("data", {}) for out in cell.outputs) for cell in book.cells] == [True] * 3
