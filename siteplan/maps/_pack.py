"""Many points in few bytes: places, tiers and texts as base64 of whole numbers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from siteplan.maps._shapes import Json

MICRODEGREES = 1e6


def pack_points(places: tuple[Sequence[float], Sequence[float]], tiers: Sequence[int], titles: Sequence[str],
                columns: Mapping[str, Sequence[str]]) -> Json:
    """Points with a title and texts; fields that no point has are left out.

    Parameters
    ----------
    places : (latitudes, longitudes)
        Degrees.
    tiers : sequence of int
        0..255 each.
    titles : sequence of str
    columns : mapping of str to sequence of str
        Label -> texts; the last one stays even where it is empty.

    Returns
    -------
    dict
        ``fields``; ``words``: each different text once; ``count``; ``at``: little-endian int32 (lat, lon, lat, ...) in
        1e-6 degrees; ``tier``: uint8; ``texts``: one array for the title and one for each field, little-endian
        uint32 positions in ``words``. Arrays are base64.

    Examples
    --------
    >>> packed = pack_points(([22.5], [113.25]), [2], ["甲"], {"空": [""], "编号": ["A1"]})
    >>> packed["fields"], packed["words"], packed["count"]
    (['编号'], ['甲', 'A1'], 1)
    >>> np.frombuffer(base64.b64decode(packed["at"]), "<i4").tolist()
    [22500000, 113250000]
    """
    last = [*columns][-1]
    kept = {label: texts for label, texts in columns.items() if label == last or any(texts)}
    count = len(titles)
    every = np.empty(count * (1 + len(kept)), dtype=object)
    every[:] = [text for texts in (titles, *kept.values()) for text in texts]
    codes, words = pd.factorize(every)
    degrees = np.column_stack([np.asarray(part, np.float64).reshape(-1) for part in places])
    return {"fields": list(kept), "words": [str(word) for word in words], "count": count,
            "at": _base64(np.rint(degrees * MICRODEGREES).astype("<i4")), "tier": _base64(np.asarray(tiers, np.uint8)),
            "texts": [_base64(part) for part in codes.astype("<u4").reshape(1 + len(kept), count)]}


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
