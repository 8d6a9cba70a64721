"""Draw the pictures of docs/coverage.md: ``python docs/make_pictures.py``.

The sample city is synthetic; Liechtenstein (OpenStreetMap, ODbL) needs the data beside the project: its picture is left
as it is, with a message, where they are absent.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import siteplan as sp
from siteplan.coverage import Coverage, predict_coverage, prepare_situation, what_if
from siteplan.maps import plot_comparison, plot_coverage
from siteplan.study import Scene

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
FOUR = ("rsrp", "server", "sinr", "probability")
COLOURS = 256
MAX_BYTES = 250_000
MAX_ERROR = 16


def save(figure: Figure, name: str, dpi: int) -> None:
    """Write a figure as a PNG of few colours."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    plt.close(figure)
    path = PICTURES / f"coverage_{name}.png"
    full = Image.open(buffer).convert("RGB")
    colours, count = np.unique(np.asarray(full).reshape(-1, 3), axis=0, return_counts=True)
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours[np.argsort(-count, kind="stable")[:COLOURS]].tobytes())
    image = full.quantize(palette=palette, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    size = path.stat().st_size
    error = np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(full, int)).max(-1)
    worst = np.quantile(error, 0.99)
    print(f"{path.name}: {image.width} x {image.height}, {size} bytes, 99 % of the pixels within {worst:g}")
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


def draw_liechtenstein() -> None:
    scene = scene_of("liechtenstein")
    save(four(scene, sp.cover_existing(scene), (2, 2), (11.0, 15.5)), "liechtenstein", 80)


if __name__ == "__main__":
    mpl.use("agg")
    draw_xikou()
    if (ROOT.parent / "shared" / "data" / "liechtenstein").exists():
        draw_liechtenstein()
    else:
        print("../shared/data/liechtenstein is absent: its picture stays as it is")
