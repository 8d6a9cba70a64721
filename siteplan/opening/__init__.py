"""The opening of public venues: the ledger of venues, fees, refusals and hard sites, and letters that ask for it."""

from siteplan.opening._build import Opening, build_opening
from siteplan.opening._letters import Letter, LetterVenue, letters, unaddressed
from siteplan.opening._public import NO_SECRECY_LIST, public_text
from siteplan.opening._records import fee_verdict
from siteplan.opening._venues import opens_in_words

__all__ = ["NO_SECRECY_LIST", "Letter", "LetterVenue", "Opening", "build_opening", "fee_verdict", "letters",
           "opens_in_words", "public_text", "unaddressed"]
