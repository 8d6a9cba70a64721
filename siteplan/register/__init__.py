"""The register of a plan's life (储备库): what was planned, what was built, who answers, by when."""

from siteplan.register.dictionary import register_tables, word_of
from siteplan.register.store import (
    DAY,
    Register,
    Salvage,
    Stamp,
    Transaction,
    add_rows,
    adopt_edits,
    check_seals,
    correct_event,
    create_register,
    edit_rows,
    hand_edits,
    open_register,
    read_events,
    read_rows,
    reading,
    require_sealed,
    rescue,
    restore_edits,
    salvage,
    writing,
)

__all__ = ["DAY", "Register", "Salvage", "Stamp", "Transaction", "add_rows", "adopt_edits", "check_seals",
           "correct_event", "create_register", "edit_rows", "hand_edits", "open_register", "read_events", "read_rows",
           "reading", "register_tables", "require_sealed", "rescue", "restore_edits", "salvage", "word_of", "writing"]
