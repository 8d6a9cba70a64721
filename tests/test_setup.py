"""Set-up: pyproject.toml, the lock, environment.yml, the Makefile and CI say the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("demo", "test", "lint", "bench", "fuzz", "browser", "lock", "clean", "help")
PLATFORMS = [
    {"python_version": version, "python_full_version": f"{version}.5", "sys_platform": system, "platform_system": name,
     "os_name": "nt" if system == "win32" else "posix"}
    for version in ("3.11", "3.12", "3.13")
    for system, name in (("linux", "Linux"), ("win32", "Windows"), ("darwin", "Darwin"))
]


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pins(file: str) -> list[tuple[Requirement, int]]:
    """Pinned requirements of a lock, each with the number of its hashes."""
    text = (ROOT / file).read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(Requirement(line.split(" --hash")[0].strip()), line.count("--hash=sha256:")) for line in lines]


def pinned(file: str, environment: dict[str, str]) -> dict[str, str]:
    """Version of each package that the lock gives this environment."""
    found: dict[str, str] = {}
    for requirement, _ in pins(file):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} is pinned twice for {environment}"
            found[name] = next(iter(requirement.specifier)).version
    return found


def unmet(wanted: list[str], versions: dict[str, str]) -> list[str]:
    return [text for text in wanted if (requirement := Requirement(text))
            and not requirement.specifier.contains(versions.get(canonicalize_name(requirement.name), "0"))]


@pytest.mark.parametrize("environment", PLATFORMS, ids=lambda e: f"{e['sys_platform']}-{e['python_version']}")
def test_lock_covers_pyproject(environment: dict[str, str]) -> None:
    project = pyproject()
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    versions = pinned("requirements.lock", environment)
    assert unmet(wanted + project["build-system"]["requires"], versions) == []
    extras = [text for group in project["project"]["optional-dependencies"].values() for text in group]
    assert unmet(project["project"]["dependencies"] + extras, pinned("constraints.txt", environment)) == []


@pytest.mark.parametrize("environment", PLATFORMS, ids=lambda e: f"{e['sys_platform']}-{e['python_version']}")
def test_locks_agree(environment: dict[str, str]) -> None:
    lock, constraints = pinned("requirements.lock", environment), pinned("constraints.txt", environment)
    different = {name: (lock[name], constraints[name]) for name in lock.keys() & constraints.keys()
                 if lock[name] != constraints[name]}
    assert different == {}


def test_lock_is_hashed_and_names_no_index() -> None:
    assert [str(requirement) for requirement, hashes in pins("requirements.lock") if not hashes] == []
    for file in ("requirements.lock", "constraints.txt"):
        assert re.findall(r"https?:|file:|--\w*index|find-links", (ROOT / file).read_text("utf-8")) == []
        loose = [str(requirement) for requirement, _ in pins(file)
                 if [item.operator for item in requirement.specifier] != ["=="]]
        assert loose == []


def test_every_dependency_has_a_minimum() -> None:
    project = pyproject()
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values(),
              *project["dependency-groups"].values()]
    assert [text for group in groups for text in group if ">=" not in text] == []


def test_environment_yml_agrees() -> None:
    """Python from conda, everything else from pip with the pinned versions, and nothing twice."""
    text = (ROOT / "environment.yml").read_text("utf-8")
    lines = [line.split("#")[0].rstrip() for line in text.splitlines()]
    assert "name: siteplan" in lines
    items = [(len(line) - len(line.lstrip()), line.strip()[2:]) for line in lines if line.strip().startswith("- ")]
    outer = [item for indent, item in items if indent == 2]
    inner = [item for indent, item in items if indent > 2]
    assert outer == ["conda-forge", "nodefaults", "python=3.11", "pip", "pip:"]
    assert inner == ["-c constraints.txt", "-e .[notebooks]"]
    assert Requirement(f"python{pyproject()['project']['requires-python']}").specifier.contains("3.11")
    assert "notebooks" in pyproject()["project"]["optional-dependencies"]


def test_one_version() -> None:
    import siteplan

    version = pyproject()["project"]["version"]
    assert siteplan.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_command_is_declared() -> None:
    assert pyproject()["project"]["scripts"] == {"siteplan": "siteplan.cli:main"}
    from siteplan.cli import main

    assert callable(main)


def test_python_m_siteplan_runs() -> None:
    command = [sys.executable, "-m", "siteplan", "--help"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr.decode("utf-8", "replace")


def test_makefile_has_the_commands() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [name for name in TARGETS if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
def test_commands_in_the_docs_exist(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= commands
    assert [name for name in sorted(commands) if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    lines = script.read_text("utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert lines[-1] == "make test"
    if os.name == "posix":
        assert os.access(script, os.X_OK)


def test_tables_are_package_data() -> None:
    """What the package reads at run time is inside it, and goes into the wheel."""
    data = pyproject()["tool"]["setuptools"]["package-data"]["siteplan"]
    covered = {path for pattern in data for path in (ROOT / "siteplan").glob(pattern)}
    files = {path for path in (ROOT / "siteplan").rglob("*")
             if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts}
    assert sorted(path.relative_to(ROOT).as_posix() for path in files - covered) == []
