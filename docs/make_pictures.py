"""Draw the pictures of docs/coverage.md and of the README: ``python docs/make_pictures.py``.

The sample city is synthetic; Liechtenstein (OpenStreetMap, ODbL) needs the data beside the project, the review map of the
README a Chromium: a picture is left as it is, with a message, where what it needs is absent.
"""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

import siteplan as sp
from siteplan.coverage import Coverage, link_profile, predict_coverage, prepare_situation, what_if
from siteplan.grid import pixel_xy
from siteplan.maps import plot_comparison, plot_coverage, plot_link, write_review_map
from siteplan.sheets import content_of_plan, write_atlas
from siteplan.study import Scene

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
FOUR = ("rsrp", "server", "sinr", "probability")
COLOURS, PLAIN_COLOURS, PLAIN_APART, LEAST_PIXELS = 256, 64, 40, 20
MAX_BYTES, MAX_PAGE_BYTES = 250_000, 500_000
MAX_ERROR = 8
TOWN = "城关镇"
"""Town of the sheet in the README."""
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")


def legend_colours(figure: Figure) -> NDArray[np.uint8]:
    """Colours (colours, RGB) that the legends explain: the picture must show just these."""
    legends = [legend for axis in figure.axes if (legend := axis.get_legend()) is not None]
    told = [patch.get_facecolor() for legend in legends for patch in legend.get_patches()]
    told += [line.get_color() for legend in legends for line in legend.get_lines()]
    return np.unique(np.rint(255.0 * np.array([to_rgb(colour) for colour in told]).reshape(-1, 3)).astype(np.uint8), axis=0)


def few_colours(colours: NDArray[np.uint8], count: NDArray[np.int64], pinned: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most 256 colours, the pinned ones first, by which every colour of some pixels is met as closely as can be."""
    told = colours[np.argsort(-count, kind="stable")][:int((count >= LEAST_PIXELS).sum())].astype(np.int64)
    for reach in range(2, 256, 2):
        kept, left = list(pinned.astype(np.int64)), np.ones(len(told), np.bool_)
        for colour in kept:
            left &= np.abs(told - colour).max(axis=1) > reach
        while left.any() and len(kept) < COLOURS:
            kept.append(told[left.argmax()])
            left &= np.abs(told - kept[-1]).max(axis=1) > reach
        if not left.any():
            break
    return np.array(kept, np.uint8)


def with_palette(full: NDArray[np.uint8], pinned: NDArray[np.uint8]) -> Image.Image:
    """A picture (rows, cols, RGB) in few colours: each pixel takes the nearest."""
    colours, place, count = np.unique(full.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    palette = few_colours(colours, count, pinned)
    nearest = cKDTree(palette.astype(float)).query(colours.astype(float))[1]
    image = Image.fromarray(nearest[place.ravel()].reshape(full.shape[:2]).astype(np.uint8))
    image.putpalette(palette.tobytes())
    return image


def save(figure: Figure, name: str, dpi: int) -> None:
    """Write a figure as a PNG of few colours."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    plt.close(figure)
    path = PICTURES / f"coverage_{name}.png"
    full = np.asarray(Image.open(buffer).convert("RGB"))
    image = with_palette(full, legend_colours(figure))
    image.save(path, optimize=True)
    size = path.stat().st_size
    error = np.abs(np.asarray(image.convert("RGB"), int) - full.astype(int)).max(-1)
    worst = np.quantile(error, 0.99)
    print(f"{path.name}: {image.width} x {image.height}, {size} bytes, 99 % of the pixels within {worst:g}, all within {error.max()}")
    if size > MAX_BYTES or worst > MAX_ERROR:
        raise SystemExit(f"{path.name} is larger than {MAX_BYTES} bytes or has lost its colours")


def scene_of(name: str) -> Scene:
    study = sp.Study.from_toml(ROOT / "data" / name / "study.toml")
    return sp.build_scene(study.params, sp.read_layers(study), study.equipment)


def shown(scene: Scene) -> dict[str, object]:
    return {"boundary": scene.boundary, "surface": scene.surface, "sectors": scene.sectors, "study": scene.params.study}


def four(scene: Scene, coverage: Coverage, grid: tuple[int, int], size: tuple[float, float]) -> Figure:
    """RSRP, best server, SINR and probability."""
    figure, axes = plt.subplots(*grid, figsize=size, layout="compressed")
    for axis, what in zip(np.ravel(axes), FOUR, strict=True):
        plot_coverage(coverage, what, axis, **shown(scene))
    return figure


def draw_xikou() -> None:
    scene = scene_of("xikou")
    params = scene.params.coverage
    coverage = sp.cover_existing(scene)
    save(four(scene, coverage, (2, 2), (14.5, 10.6)), "xikou", 88)
    save(plot_coverage(coverage, "indoor", **shown(scene)).figure, "xikou_indoor", 90)
    figure, axes = plt.subplots(1, 3, figsize=(16.5, 4.6), layout="compressed")
    for axis, weight in zip(axes, (0.0, params.building_weight, 1.0), strict=True):
        view = predict_coverage(scene.surface, scene.sectors, params.model_copy(update={"building_weight": weight}),
                                equipment=scene.equipment)
        plot_coverage(view, "rsrp", axis, boundary=scene.boundary, study=scene.params.study)
        axis.set_title(f"{axis.get_title()}  building_weight = {weight:g}", fontsize=10)
    save(figure, "xikou_buildings", 90)
    server = coverage.any_5g().server
    place = scene.sectors.loc[coverage.sector_ids[np.bincount(server[server >= 0]).argmax()], ["x", "y"]]
    gone = scene.sectors.index[(scene.sectors[["x", "y"]] == place).all(axis=1)]
    situation = prepare_situation(scene.surface, scene.sectors, params, coverage, scene.equipment)
    change = what_if(situation, removed=list(gone))
    save(plot_comparison(change.before, change.after, "rsrp", **shown(scene))[0].figure, "xikou_what_if", 90)
    draw_link(scene, coverage)


def draw_link(scene: Scene, coverage: Coverage) -> None:
    """The link to where most people have little chance of a signal."""
    best = coverage.any_5g()
    weak = np.where((best.probability < 0.2) & (best.server >= 0), scene.demand.per_pixel, -1.0)
    row, col = np.unravel_index(weak.argmax(), weak.shape)
    x, y = map(float, pixel_xy(scene.surface.geobox, row, col))
    sector = scene.sectors.loc[coverage.sector_ids[best.server[row, col]]]
    link = link_profile(scene.surface, sector, x, y, scene.params.coverage, equipment=scene.equipment)
    print(link.sector_id, x, y)
    save(plot_link(link, study=scene.params.study)[0].figure, "xikou_link", 90)


def draw_liechtenstein() -> None:
    scene = scene_of("liechtenstein")
    save(four(scene, sp.cover_existing(scene), (2, 2), (11.0, 15.5)), "liechtenstein", 80)


def save_page(page: Image.Image, name: str, cols: int) -> None:
    """Write a picture of a page for the README, so many pixels wide, in few colours; those of its areas and signs stay."""
    path = PICTURES / name
    colours, count = np.unique(np.asarray(page).reshape(-1, 3), axis=0, return_counts=True)
    plain: list[NDArray[np.int64]] = []
    for colour in colours[np.argsort(-count, kind="stable")][:(count >= LEAST_PIXELS).sum()].astype(np.int64):
        if len(plain) < PLAIN_COLOURS and all(np.abs(colour - other).max() > PLAIN_APART for other in plain):
            plain.append(colour)
    small = page.resize((cols, round(page.height * cols / page.width)), Image.Resampling.LANCZOS)
    image = with_palette(np.asarray(small), np.array(plain, np.uint8))
    image.save(path, optimize=True)
    print(f"{path.name}: {image.width} x {image.height}, {path.stat().st_size} bytes")
    if path.stat().st_size > MAX_PAGE_BYTES:
        raise SystemExit(f"{path.name} is larger than {MAX_PAGE_BYTES} bytes")


def draw_review_map(plan: sp.Plan) -> None:
    """The sample city's review map as a browser shows it."""
    browser = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if browser is None:
        print("no Chromium: the picture of the review map stays as it is")
        return
    with TemporaryDirectory() as folder:
        page, shot = Path(folder) / "map.html", Path(folder) / "map.png"
        write_review_map(plan, page)
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}",
                        "--window-size=1600,1000", "--virtual-time-budget=15000", f"--screenshot={shot}", page.as_uri()],
                       check=True, capture_output=True, timeout=180)
        save_page(Image.open(shot).convert("RGB"), "review_map.png", 1600)


def draw_sheet(plan: sp.Plan) -> None:
    """A sheet of the sample city's atlas, smaller than it is printed."""
    with TemporaryDirectory() as folder:
        sheets = write_atlas(content_of_plan(plan), Path(folder), formats=("png",), only=(TOWN,))
        save_page(Image.open(sheets[1]).convert("RGB"), "atlas_sheet.png", 1600)  # the first page is the overview


if __name__ == "__main__":
    mpl.use("agg")
    draw_xikou()
    plan = sp.run(sp.Study.from_toml(ROOT / "data" / "xikou" / "study.toml"))
    draw_review_map(plan)
    draw_sheet(plan)
    if (ROOT.parent / "shared" / "data" / "liechtenstein").exists():
        draw_liechtenstein()
    else:
        print("../shared/data/liechtenstein is absent: its picture stays as it is")
