"""Profiles of exchange layers: how a bureau wants its layers named, typed, coded and encoded; data, not code."""

from siteplan.profiles._load import load_profiles, profiles_with, read_profile, read_profiles
from siteplan.profiles._nouns import Profile, ProfileField
from siteplan.profiles._sources import LAYERS, PLACE_COLUMNS, master_columns

__all__ = ["LAYERS", "PLACE_COLUMNS", "Profile", "ProfileField", "load_profiles", "master_columns", "profiles_with",
           "read_profile", "read_profiles"]
