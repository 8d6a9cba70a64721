"""Carriers of the sectors: which overlap, what they load, and the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.radio import noise_dbm, overlap_share, subcarrier_scale


class Carrier(NamedTuple):
    """One carrier: centre, width, spacing of its subcarriers."""

    freq_mhz: float
    bandwidth_mhz: float
    scs_khz: float


@dataclass(frozen=True)
class Spectrum:
    """What the signal-to-interference ratio needs to know of the sectors.

    Attributes
    ----------
    carriers : tuple of Carrier
        Sorted.
    carrier_of : ndarray of int64 (sectors,)
        Position of each sector's carrier; -1 for indoor sectors.
    load : ndarray of float32 (sectors,)
        Share of the resource elements that each sector sends on, 0..1.
    noise_figure_db : float
    """

    carriers: tuple[Carrier, ...]
    carrier_of: NDArray[np.int64]
    load: NDArray[np.float32]
    noise_figure_db: float

    def overlap(self) -> NDArray[np.float64]:
        """(carriers, carriers): power per resource element of a server that another carrier's element brings in.

        The share of the server's width that the other covers, times the ratio of their subcarrier spacings: the same
        power per resource element is spread over another width.
        """
        size = len(self.carriers)
        out = np.zeros((size, size))
        for i, own in enumerate(self.carriers):
            for j, other in enumerate(self.carriers):
                share = overlap_share(own.freq_mhz, own.bandwidth_mhz, other.freq_mhz, other.bandwidth_mhz)
                out[i, j] = float(share * subcarrier_scale(own.scs_khz, other.scs_khz))
        return out

    def noise_mw(self) -> NDArray[np.float64]:
        """(carriers,): thermal noise and noise figure per resource element, mW."""
        return np.array([10.0 ** (float(noise_dbm(c.scs_khz, self.noise_figure_db)) / 10.0) for c in self.carriers])


def spectrum_of(sectors: pd.DataFrame, load_share: float, noise_figure_db: float) -> Spectrum:
    """Spectrum of a table of sectors; sectors without a load of their own take ``load_share``.

    Indoor sectors do not radiate outdoors: they have no carrier (-1), and no plane of power is kept for them.
    """
    outdoors = (sectors["kind"] != "indoor").to_numpy(bool)
    columns = sectors.loc[outdoors, ["freq_mhz", "bandwidth_mhz", "scs_khz"]].to_numpy(np.float64)
    unique, inverse = np.unique(columns, axis=0, return_inverse=True)
    carrier_of = np.full(len(sectors), -1, np.int64)
    carrier_of[outdoors] = inverse.ravel()
    load = sectors["load_share"].to_numpy(np.float64)
    load = np.where(np.isnan(load), load_share, load).astype(np.float32)
    return Spectrum(tuple(Carrier(*map(float, row)) for row in unique), carrier_of, load, noise_figure_db)


def join_spectra(a: Spectrum, b: Spectrum) -> tuple[Spectrum, NDArray[np.int64], NDArray[np.int64]]:
    """Spectrum of the sectors of ``a`` followed by those of ``b``, and where the carriers of each went."""
    carriers = tuple(sorted({*a.carriers, *b.carriers}))
    place = {carrier: i for i, carrier in enumerate(carriers)}
    to_a, to_b = (np.array([place[c] for c in part.carriers], np.int64) for part in (a, b))
    carrier_of = np.concatenate([np.append(to, -1)[part.carrier_of] for to, part in ((to_a, a), (to_b, b))])
    return Spectrum(carriers, carrier_of, np.concatenate([a.load, b.load]), a.noise_figure_db), to_a, to_b
