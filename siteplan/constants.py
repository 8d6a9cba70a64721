"""Physical constants, each with its unit in the name."""

from __future__ import annotations

SPEED_OF_LIGHT_38901_M_S = 3.0e8
"""Speed of light as the notes of TR 38.901 table 7.4.1-1 have it; used in breakpoints only, m/s."""

LIGHT_METRES_GHZ = 0.2998
"""Wavelength in metres times frequency in GHz, as ITU-R P.526 and P.1812 codes have it."""

EARTH_RADIUS_EFFECTIVE_M = 8.5e6
"""Effective Earth radius (4/3 of 6371 km), m."""
