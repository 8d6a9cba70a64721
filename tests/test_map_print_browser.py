"""The review map on paper: what a browser prints is the map, not an empty sheet."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from chrome import CHROMIUM, chrome
from map_plan import make_plan
from PIL import Image

from siteplan.maps import write_review_map

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not printed"),
    pytest.mark.skipif(shutil.which("pdftoppm") is None,
                       reason="no pdftoppm on this machine: the print is not looked at"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


@pytest.mark.parametrize("fragment", ["", "state=before&cover=probability"])
def test_the_printed_sheet_shows_the_coverage(tmp_path: Path, fragment: str) -> None:
    page = write_review_map(make_plan(shape=(100, 120), pixel=100.0, candidates=500, proposed=12, villages=8),
                            tmp_path / "map.html")
    with chrome(page, fragment) as tab:
        tab.wait_for("document.body.dataset.state")
        sheet = tab.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
    (tmp_path / "map.pdf").write_bytes(base64.b64decode(sheet["data"]))
    subprocess.run(["pdftoppm", "-r", "30", "-png", "-singlefile", tmp_path / "map.pdf", tmp_path / "map"], check=True)
    pixels = np.asarray(Image.open(tmp_path / "map.png").convert("RGB"), dtype=np.int16)
    rows, cols = pixels.shape[:2]
    map_area = pixels[rows // 5:rows * 3 // 5, cols // 6:cols // 2]
    coloured = (map_area.max(axis=2) - map_area.min(axis=2)) > 12
    assert coloured.mean() > 0.8  # brown to blue everywhere; a sheet without its pictures has labels alone
