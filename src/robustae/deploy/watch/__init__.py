"""Rows from a stream, scored as they come: small batches, bounded memory, one sentence for a bad line."""

from robustae.deploy.watch.feed import Feed
from robustae.deploy.watch.watch import Tally, Watch, watch

__all__ = ["Feed", "Tally", "Watch", "watch"]
