"""Three years of the sample city's register: ``python data/xikou/three_years.py --out build/three_years``.

Plan, two half-years, refusals, a new works list, a re-plan, reports at each cut-off, to the end of 2028. Every step
goes through the library as the commands ``siteplan register``, ``run`` and ``report`` do, and says one sentence. All
that is told is invented (合成数据). In the end the numbers are counted again by other means (``telling/checks.py``).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: waiting threads would cost cpu seconds

from telling import year_2026, years_later
from telling.checks import check_story
from telling.office import Office, Say

STEPS = (year_2026.begin, year_2026.set_up, year_2026.first_half, year_2026.second_half, years_later.plan_again,
         years_later.first_half_2027, years_later.second_half_2027, years_later.year_2028)


def tell_story(out: Path, where: str = "", *, plans: dict[int, Path] | None = None, with_reports: bool = True,
               say: Say = print) -> Office:
    """Tell the whole story into a folder, or into the register at ``where`` with finished plans."""
    out.mkdir(parents=True, exist_ok=True)
    office = Office(where or str(out / "register.gpkg"), out, say, dict(plans or {}), with_reports)
    for step in STEPS:
        step(office)
    for sentence in check_story(office):
        say(f"核对:{sentence}")
    return office


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build", "three_years"), help="folder to write to; made anew")
    out: Path = parser.parse_args().out
    if out.exists() and not (out / "register.gpkg").is_file() and any(out.iterdir()):
        parser.error(f"{out} 不是本脚本写出的文件夹,不覆盖")
    shutil.rmtree(out, ignore_errors=True)
    start: Any = time.perf_counter()
    tell_story(out)
    print(f"合成数据;{time.perf_counter() - start:.0f} 秒 -> {out}")


if __name__ == "__main__":
    main()
