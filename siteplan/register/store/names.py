"""Names that a row may hold only when the register knows them: ids of other rows, organisations."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from siteplan.register.dictionary import RegisterField, register_tables
from siteplan.register.store.transaction import Transaction
from siteplan.register.store.values import ValueFault

ORGANISATIONS = "organisations"
MANY = 2000


def known_names(transaction: Transaction, table: str) -> set[str]:
    """Ids of a table; of ``organisations`` the names."""
    if table not in transaction._known:
        source = transaction.register.layout.tables[table]
        column = source.c.name if table == ORGANISATIONS else source.c.id
        transaction._known[table] = {str(word) for (word,) in transaction.connection.execute(select(column))}
    return transaction._known[table]


def organisation_words(transaction: Transaction) -> dict[str, list[str]]:
    """Short names and keywords of organisations -> names of those that have them."""
    if not transaction._words:
        source = transaction.register.layout.tables[ORGANISATIONS]
        for name, words in transaction.connection.execute(select(source.c.name, source.c.words).order_by(source.c.id)):
            for word in str(words or "").split("|"):
                if word and name not in transaction._words.setdefault(word, []):
                    transaction._words[word].append(str(name))
    return transaction._words


def forget_names(transaction: Transaction, table: str) -> None:
    """Names are read anew: rows were written."""
    if table == ORGANISATIONS:
        transaction._known.pop(table, None)
        transaction._words.clear()


def checked_names(transaction: Transaction, held: RegisterField, value: str) -> str | ValueFault:
    """The value with organisations under their names; a `ValueFault` when something is not in the register.

    A short name counts when one organisation alone has it.
    """
    if not held.refers and not held.organisation:
        return value
    known = known_names(transaction, held.refers or ORGANISATIONS)
    if value in known:
        return value
    parts: dict[str, None] = {}
    for part in value.split("|") if held.many else [value]:
        found = part if part in known else _meant(transaction, part) if held.organisation else None
        if isinstance(found, ValueFault):
            return found
        if found is None:
            zh = register_tables()[held.refers].zh if held.refers else register_tables()[ORGANISATIONS].zh
            near = near_names(part, known)
            return ValueFault(f"{zh}中没有“{part[:40]}”", f"是不是 {near}?否则先登记" if near else "核对,或先登记")
        parts[found] = None
    return "|".join(parts)


def _meant(transaction: Transaction, word: str) -> str | ValueFault | None:
    """The name of the organisation that a short name means."""
    names = organisation_words(transaction).get(word, [])
    if len(names) > 1:
        return ValueFault(f"“{word[:40]}”是{'、'.join(names)}共有的简称", "写单位全称")
    return names[0] if names else None


def near_names(word: str, known: Iterable[str]) -> str:
    """Up to two names that are spelled alike; none of very many."""
    from difflib import get_close_matches

    names = sorted(known)
    return "、".join(get_close_matches(word[:200], names, n=2, cutoff=0.5)) if len(names) <= MANY else ""
