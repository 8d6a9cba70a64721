"""Every numba loop of siteplan. Plain arrays in, ``out`` arrays filled by the kernel; no formula of path loss here.

Geometry. A window of radius R pixels around the mast's pixel is an array of (2R+1, 2R+1). Path losses come as tables
by *ring*: all pixels at one squared pixel distance share a ring, so a logarithm is taken once per ring and mast type
(by :mod:`siteplan.radio`), never per pixel or sector.

Line of sight. Exact rule: the surface is sampled bilinearly between pixel centres at 1.0, 1.5, 2.0, ... pixels from
the mast, the last sample at most e - 0.5 pixels away (e = distance of the receiver); seen = no sample above the sight
line. Earth curvature is taken off the heights (``d^2 / (2 a_e)``), which bends the sight line straight.
The sweep walks rays instead of one profile per pixel: the running greatest slope of a ray serves every pixel that
lies nearest to this ray, so the work per pixel does not grow with the radius.

All kernels are plain Python functions first (``.py_func``) and run with ``NUMBA_DISABLE_JIT=1`` as well.
"""

from siteplan._kernels._sight import copy_window, diffraction_nu, exact_visible, profile_space, sweep, target_sight
from siteplan._kernels._signal import add_sectors, knife_edge_db, merge_best, reach_mast
from siteplan._kernels._tables import CLEAR_NU, Best, Disc, Losses, Mast, Sectors, build_disc

__all__ = [
    "CLEAR_NU", "Best", "Disc", "Losses", "Mast", "Sectors", "add_sectors", "build_disc", "copy_window",
    "diffraction_nu", "exact_visible", "knife_edge_db", "merge_best", "profile_space", "reach_mast", "sweep",
    "target_sight",
]
