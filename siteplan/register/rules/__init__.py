"""What must hold in a row of a register, beyond types: table by table, one module each."""

from siteplan.register.rules.checks import RowFault, derived_values, row_faults

__all__ = ["RowFault", "derived_values", "row_faults"]
