"""One self-contained HTML page about a fitted model: facts first, then charts and page drawn from them."""

from robustae.report.facts import Facts, facts_of
from robustae.report.page import write_report

__all__ = ["Facts", "facts_of", "write_report"]
