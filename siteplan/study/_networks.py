"""Networks that new sites serve: ``candidates.serves`` read as cell tables are, and what there is to tell of it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from siteplan.input_ledger import InputLedger
from siteplan.layers.kinds.operators import network_of, operator_spellings, radio_words_of

EVERY = "*"
NEW_NETWORK = "新建共享网"
"""Network of new sites in a study that has no 5G station yet."""
_NEAR = {True: 0.75, False: 0.5}
"""How alike two words must be to be a slip of the keys, by whether they are ASCII: Chinese ones have two letters."""


def wanted_networks(serves: Sequence[str], there: Sequence[str]) -> tuple[str, ...]:
    """Networks that new sites serve.

    Parameters
    ----------
    serves : sequence of str
        ``candidates.serves``: operators in any spelling, several joined by ``&`` or ``、``; ``*`` = all that are there.
    there : sequence of str
        5G networks of the stations.

    Returns
    -------
    tuple of str
        Each once, in the order in which they are named; ``NEW_NETWORK`` where nothing else is wanted.

    Examples
    --------
    >>> wanted_networks(["中国电信、联通", "CMCC"], ("移动",)), wanted_networks(["*"], ("移动",)), wanted_networks(["*"], ())
    (('电信', '联通', '移动'), ('移动',), ('新建共享网',))
    """
    named = dict.fromkeys(name for text in serves for name in network_of(text).split("&") if name)
    every = EVERY in named or not named
    names = dict.fromkeys([*(there if every else ()), *(name for name in named if name != EVERY)])
    return tuple(names) or (NEW_NETWORK,)


def tell_new_networks(serves: Sequence[str], networks: Sequence[str], ledger: InputLedger) -> None:
    """A note for each network that new sites shall serve and that no 5G station has: a typo, or a newcomer.

    Words that are a technology or a band are no operator: told, and left out.

    Parameters
    ----------
    serves : sequence of str
        ``candidates.serves``.
    networks : sequence of str
        5G networks of the stations.
    ledger : InputLedger
    """
    present = f"现有:{'、'.join(networks) or '无'}"
    for word in dict.fromkeys(part for text in serves for part in radio_words_of(text)):
        ledger.add("study", "", "", "candidates.serves", word, "note", "是制式或频段,不是运营商,已略去",
                   f"candidates.serves 只写运营商;{present}")
    operators = set(operator_spellings().values())
    for name in dict.fromkeys(name for text in serves for name in network_of(text).split("&") if name):
        if name != EVERY and name not in networks:
            near = "" if name in operators else _nearest(name, networks)
            ledger.add("stations", "", "", "network", name, "note", "新站要服务的网络在现有5G工参中没有,按新网络计算",
                       f"{f'是否应为 {near}?' if near else ''}核对 candidates.serves;{present}")


def _nearest(name: str, networks: Sequence[str]) -> str:
    """The network of the stations, or the operator, that a name is nearly spelled like; empty when it is like none."""
    known = {word.casefold(): network for word, network in operator_spellings().items()}
    known |= {network.casefold(): network for network in networks}
    near = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=_NEAR[name.isascii()])
    return known[near[0]] if near else ""
