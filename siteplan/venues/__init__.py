"""Venue classes, departments, tiers and duties as data, and the rule that classes a venue."""

from __future__ import annotations

from siteplan.venues._catalogue import Department, Tier, VenueCatalogue, VenueClass
from siteplan.venues._classify import OTHER, VenueGuess, classify_venue, department_of, is_department
from siteplan.venues._faults import venue_faults
from siteplan.venues._load import gap_outside, load_venues, profile_names, venues_of

__all__ = [
    "OTHER", "Department", "Tier", "VenueCatalogue", "VenueClass", "VenueGuess", "classify_venue", "department_of",
    "gap_outside", "is_department", "load_venues", "profile_names", "venue_faults", "venues_of",
]
