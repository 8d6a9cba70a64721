"""What the kernels take, and the arrays they fill."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

STEPS_PER_DB = 1024.0
"""Signals are ranked in steps of 1/1024 dB: whole numbers, whose order and sums do not depend on the order of work."""
POWER_UNITS_PER_MW = 2.0**60
"""Interference is summed in whole units of 2^-60 mW (-180.6 dBm), for the same reason."""
NO_SERVER = -(2**62)
"""Key of a pixel that no sector reaches."""
OUT_OF_REACH_DB = 1e6
"""Indoor loss of a pixel that is not a building."""
CLEAR_NU = -9.0
"""Diffraction parameter of a pixel between which and the mast no sample lies."""


class Mast(NamedTuple):
    """One mast and how its sight lines are drawn; heights in m."""

    row: int
    col: int
    top_amsl_m: float  # antenna above sea level
    receiver_m: float  # receiver above the target surface
    pixel_m: float
    curvature: float  # 1 / (2 a_e), 1/m; 0 = flat Earth


class Losses(NamedTuple):
    """Tables by ring of one mast type and frequency; [ring, 0] receiver in the clear, [ring, 1] blocked."""

    path_db: F32  # (rings, 2)
    inverse_sigma: F32  # (rings, 2), 1/dB
    nu_limit: F32  # (rings, 2): up to this nu (at 1 GHz) the ground's edge adds less than the path has lost already
    free_db: F32  # (rings,)
    correction_db: F32  # (rings,): Bullington's 10 + 0.02 D, or 0 for a plain knife edge
    nu_scale: float  # sqrt(frequency in GHz): nu is swept at 1 GHz
    edge_weight: float  # weight of the knife edge of the top surface
    edge_cap_db: float  # greatest loss of that edge before the weight, dB


class Sectors(NamedTuple):
    """The sectors of one mast and frequency, S of them, that serve the same of N networks."""

    azimuth_deg: F32  # (S,)
    tilt_electrical_deg: F32  # (S,)
    tilt_mechanical_deg: F32  # (S,)
    power_dbm: F32  # (S,): EPRE + gain - feeder - other fixed losses
    depth_db: F32  # (S,): greatest attenuation of the pattern
    horizontal_db: F32  # (S, 362): attenuation per degree off the azimuth, the last entry repeats the first ones
    vertical_db: F32  # (S, 722): attenuation per quarter degree below the beam from -90 to 90 degrees, last repeated
    load: F32  # (S,): share of resource elements on air
    number: I64  # (S,): row in the table of sectors
    carrier: int  # index of the carrier
    serves: NDArray[np.int64]  # indices of the networks served
    wall_db: float  # outdoor to indoor, without the way inside, dB
    wall_sigma_db: float  # spread of the wall loss, dB


class Limits(NamedTuple):
    """Thresholds in dBm."""

    outdoor_dbm: float
    indoor_dbm: float


class Pixels(NamedTuple):
    """What is known of the pixels of the grid; an array of shape (0, 0) where it is not asked for."""

    ground_m: F32
    extra_db: F32  # loss that belongs to the receiver's pixel
    inside_db: F32  # loss of the way from the wall inwards; OUT_OF_REACH_DB where no building stands


class Servers(NamedTuple):
    """Best and second server so far on a part of the grid; filled by the kernels. N networks, K carriers.

    A key holds signal and sector in one whole number: ``steps * 2^32 + 2^31 - 1 - number``, so the greatest key is the
    strongest signal, and of equal ones the lowest sector number.
    """

    row0: int
    col0: int
    first_row: int  # rows of the grid that are worked on: those from here
    last_row: int  # to before here
    best: I64  # (N, rows, cols)
    second: I64  # (N, rows, cols)
    z: F32  # (N, rows, cols): greatest (rsrp - threshold) / sigma
    above: NDArray[np.int16]  # (N, rows, cols): how many sectors come up to the threshold
    power: I64  # (K, rows, cols): load-weighted power per carrier, POWER_UNITS
    indoor: F32  # (N, rows, cols) or (N, 0, 0): best signal inside, dBm
    indoor_z: F32  # likewise


def empty_servers(row0: int, col0: int, shape: tuple[int, int], networks: int, carriers: int, indoor: bool) -> Servers:
    """Servers before the first sector."""
    size = (networks, *shape)
    inside = size if indoor else (networks, 0, 0)
    return Servers(
        row0, col0, row0, row0 + shape[0], np.full(size, NO_SERVER, np.int64), np.full(size, NO_SERVER, np.int64),
        np.full(size, -np.inf, np.float32), np.zeros(size, np.int16), np.zeros((carriers, *shape), np.int64),
        np.full(inside, -np.inf, np.float32), np.full(inside, -np.inf, np.float32),
    )
