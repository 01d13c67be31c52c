"""Self-contained HTML pages drawn from facts, which are plain dicts; nothing here knows an estimator."""

from robustae.report.page import write_report

__all__ = ["write_report"]
