"""Review map: one HTML page of a plan that opens without a network; pictures for notebooks."""

from siteplan.maps._gap_plots import plot_gaps
from siteplan.maps._link_plot import plot_link
from siteplan.maps._offline import inline_page
from siteplan.maps._options import MapOptions
from siteplan.maps._page import render_review_map, write_review_map
from siteplan.maps._plots import chinese_fonts, plot_comparison, plot_coverage
from siteplan.maps._preference_plot import plot_preference
from siteplan.maps._selection_plot import plot_money, plot_stability

__all__ = ["MapOptions", "chinese_fonts", "inline_page", "plot_comparison", "plot_coverage", "plot_gaps", "plot_link",
           "plot_money", "plot_preference", "plot_stability", "render_review_map", "write_review_map"]
