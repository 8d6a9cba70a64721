"""Every numba loop of siteplan. Plain arrays in, ``out`` arrays filled by the kernel; no formula of path loss here.

Geometry. A window of radius R pixels around the mast's pixel is an array of (2R+1, 2R+1). Path losses come as tables
by *ring*: all pixels at one squared pixel distance share a ring, so a logarithm is taken once per ring and mast type
(by :mod:`siteplan.radio`), never per pixel or sector.

Line of sight. Exact rule: the surface is sampled bilinearly between pixel centres at 1.0, 1.5, 2.0, ... pixels from
the mast, the last sample at most e - 0.5 pixels away (e = distance of the receiver); seen = no sample above the sight
line. Earth curvature is taken off the heights (``d^2 / (2 a_e)``), which bends the sight line straight. The sweep walks
rays instead of one profile per pixel, so the work per pixel does not grow with the radius.

Receivers on built pixels have the sight of the open pixel in front of their nearest wall: their own roof, which the
last samples of their profile would meet, is no obstacle on the way to the street or to the wall.

Signals. A signal is ranked in whole steps of 1/1024 dB, and interference is summed in whole units of 2^-60 mW: maxima
and sums of whole numbers do not depend on the order of work, so tiles, threads and merged parts give the same bits.

All kernels are plain Python functions first (``.py_func``) and run with ``NUMBA_DISABLE_JIT=1`` as well.
"""

from siteplan._kernels._anneal import anneal_part
from siteplan._kernels._choice import Books, Bounds, Prices, Spans, Terms, choose_lazily, invert, put
from siteplan._kernels._disc import Disc, build_disc, copy_window
from siteplan._kernels._dual import (
    add_by_number,
    add_steps,
    advance_cells,
    count_runs,
    fill_runs,
    grow_cliques,
    polish_rows,
    settle_rows,
    weigh_cells,
)
from siteplan._kernels._exact import exact_visible, point_sight, point_space
from siteplan._kernels._facade import lend_sight, nearest_open, steps_outwards
from siteplan._kernels._footprint import MastRow, Scenery, cover_masts
from siteplan._kernels._heat import Beside, find_beginners, heat_part, share_weights, value_anew
from siteplan._kernels._nouns import (
    CLEAR_NU,
    NO_SERVER,
    OUT_OF_REACH_DB,
    POWER_UNITS_PER_MW,
    STEPS_PER_DB,
    Limits,
    Losses,
    Mast,
    Pixels,
    Sectors,
    Servers,
    empty_servers,
)
from siteplan._kernels._pairs import sight_of_pairs
from siteplan._kernels._profiles import exact_sight, exact_terrain
from siteplan._kernels._radiate import add_mast, attenuation, knife_edge_db, path_row, power_units
from siteplan._kernels._reach import point_loss, reach_mast
from siteplan._kernels._servers import decode_keys, fill_sinr, fuse_windows, merge_servers
from siteplan._kernels._swaps import (
    BLOCK,
    Index,
    Worth,
    floors_broken,
    rows_broken,
    seat,
    service_change,
    sum_up,
    swap_pass,
)
from siteplan._kernels._sweep import sweep_sight
from siteplan._kernels._terrain import sweep_terrain

__all__ = [
    "BLOCK", "CLEAR_NU", "NO_SERVER", "OUT_OF_REACH_DB", "POWER_UNITS_PER_MW", "STEPS_PER_DB", "Beside", "Books",
    "Bounds", "Disc", "Index", "Limits", "Losses", "Mast", "MastRow", "Pixels", "Prices", "Scenery", "Sectors",
    "Servers", "Spans", "Terms", "Worth", "add_by_number", "add_mast", "add_steps", "advance_cells", "anneal_part",
    "attenuation", "build_disc", "choose_lazily", "copy_window", "count_runs", "cover_masts", "decode_keys",
    "empty_servers", "exact_sight", "exact_terrain", "exact_visible", "fill_runs", "fill_sinr", "find_beginners",
    "floors_broken", "fuse_windows", "grow_cliques", "heat_part", "invert", "knife_edge_db", "lend_sight",
    "merge_servers", "nearest_open", "path_row", "point_loss", "point_sight", "point_space", "polish_rows",
    "power_units", "put", "reach_mast", "rows_broken", "seat", "service_change", "settle_rows", "share_weights",
    "sight_of_pairs", "steps_outwards", "sum_up", "swap_pass", "sweep_sight", "sweep_terrain", "value_anew",
    "weigh_cells",
]
