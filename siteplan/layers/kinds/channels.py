"""Channel numbers of cell tables (NR-ARFCN, EARFCN) as frequencies."""

from __future__ import annotations

import re

from siteplan.layers.kinds.band_table import load_bands

_NUMBER = re.compile(r"\d{1,7}(?:\.0+)?")
_LEAST_NR = 80000
"""NR-ARFCN of 400 MHz; EARFCN are smaller."""
_NEAR = 0.08
"""A plain frequency lies this near to the centre of its band."""


def nr_frequency(number: int) -> float | None:
    """Frequency of an NR-ARFCN, MHz; None when there is none (3GPP TS 38.104 clause 5.4.2.1).

    >>> nr_frequency(504990), round(nr_frequency(627264), 2), round(nr_frequency(2016667), 2)
    (2524.95, 3408.96, 24250.08)
    """
    for entry in load_bands()["nr_arfcn"]:
        if entry["first"] <= number <= entry["last"]:
            return float(entry["low_mhz"] + entry["step_khz"] * (number - entry["first"]) / 1000.0)
    return None


def lte_frequency(number: int) -> tuple[float, str] | None:
    """Frequency (MHz) and band of a downlink EARFCN; None when it is in no band listed (3GPP TS 36.101 table 5.7.3-1).

    >>> lte_frequency(1300), lte_frequency(38400), lte_frequency(50)
    ((1815.0, 'b3'), (1895.0, 'b39'), (2115.0, 'n1'))
    """
    for entry in load_bands()["earfcn"]:
        if entry["first"] <= number <= entry["last"]:
            return float(entry["low_mhz"] + 0.1 * (number - entry["first"])), str(entry["band"])
    return None


def channel_frequency(text: str, band: str | None, technology: str | None) -> tuple[float, str, str] | None:
    """Frequency that a cell of channel numbers tells.

    Parameters
    ----------
    text : str
    band : str or None
        Id of the band, settles whether 2565 is a frequency or an EARFCN.
    technology : str or None
        ``5G`` or ``4G`` where the table says so.

    Returns
    -------
    (frequency in MHz, technology or "", what it was read as) or None
        None = no number, or one that may mean two things.

    Examples
    --------
    >>> channel_frequency("504990", None, None), channel_frequency("38400", None, None)
    ((2524.95, '5G', 'NR-ARFCN'), (1895.0, '4G', 'EARFCN'))
    >>> channel_frequency("2565", "n41", None), channel_frequency("1300", None, None)
    ((2565.0, '', 'MHz'), None)
    """
    plain = text.strip()
    if not _NUMBER.fullmatch(plain):
        return None
    number = int(float(plain))
    if number >= _LEAST_NR:
        found = nr_frequency(number)
        return None if found is None or found > 6000.0 else (found, "5G", "NR-ARFCN")
    lte = lte_frequency(number) if technology != "5G" else None
    centre = load_bands()["bands"].get(band or "", {}).get("freq_mhz")
    plain_mhz = centre is not None and abs(number - centre) <= _NEAR * centre
    if plain_mhz:
        return (float(number), "", "MHz") if lte is None or lte[1] != band else None
    if lte is None:
        return None
    centres = [entry["freq_mhz"] for entry in load_bands()["bands"].values()]
    no_frequency = all(abs(number - known) > _NEAR * known for known in centres)
    sure = number > 6000 or number < 400 or lte[1] == band or (technology == "4G" and no_frequency)
    return (lte[0], "4G", "EARFCN") if sure and band in (None, lte[1]) else None
