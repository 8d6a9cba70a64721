"""Plans of the story: the study of the sample city, standing on the register, with yearly batches."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

CITY_FOLDER = Path(__file__).resolve().parents[1]
BATCH = 9
"""Most sites of one year."""


def study_text(folder: Path, register: str, as_of: dt.date, years: tuple[int, ...]) -> str:
    """``study.toml`` of the sample city, to lie in ``folder`` and to stand on a register.

    The table of decisions goes: once there is a register, it alone keeps them.
    """
    text = (CITY_FOLDER / "study.toml").read_text("utf-8")
    here = Path(os.path.relpath(CITY_FOLDER, folder)).as_posix()
    text = re.sub(r"\[layers\.decisions\]\n[^\n]*\n", "", text)
    text = re.sub(r'"(\w+\.(?:gpkg|csv|shp|xlsx|geojson|tif))"', rf'"{here}/\1"', text)
    text = re.sub(r"^as_of = \S+", f"as_of = {as_of}", text, flags=re.MULTILINE)
    place = f"path = {register!r}" if "://" not in register else 'url_env = "SITEPLAN_REGISTER"'
    limits = "".join(f'\n[[selection.quotas]]\nzh = "{year}年度新建"\nyear = {year}\nmost = {BATCH}\n'
                     for year in years[:-1])
    return f"{text}{limits}\n[selection.phases]\nyears = {list(years)}\n\n[register]\n{place}\n"


def run_plan(folder: Path, register: str, as_of: dt.date, years: tuple[int, ...]) -> Path:
    """Run the study; the deliverables lie in ``folder/plan``."""
    from siteplan.study import Study, run, write_deliverables

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "study.toml"
    file.write_text(study_text(folder, register, as_of, years), encoding="utf-8")
    study = Study.from_toml(file)
    write_deliverables(run(study), folder / "plan", root=study.root)
    return folder / "plan"
