"""The store of a register: one GeoPackage, or one schema of a PostGIS database; every change is logged."""

from siteplan.register.store.adopting import adopt_edits, adopt_rows, restore_edits, restore_rows
from siteplan.register.store.changes import DAY, add_rows, edit_rows
from siteplan.register.store.checking import check_seals, hand_edits, require_sealed
from siteplan.register.store.correcting import correct_event
from siteplan.register.store.names import known_names
from siteplan.register.store.opening import Register, create_register, open_register, reading, utc_text
from siteplan.register.store.rows import read_events, read_rows, rows_on
from siteplan.register.store.salvage import Salvage, rescue, salvage
from siteplan.register.store.transaction import CREATED, Stamp, Transaction, raise_problems, writing

__all__ = ["CREATED", "DAY", "Register", "Salvage", "Stamp", "Transaction", "add_rows", "adopt_edits", "adopt_rows",
           "check_seals", "correct_event", "create_register", "edit_rows", "hand_edits", "known_names",
           "open_register", "raise_problems", "read_events", "read_rows", "reading", "require_sealed", "rescue",
           "restore_edits", "restore_rows", "rows_on", "salvage", "utc_text", "writing"]
