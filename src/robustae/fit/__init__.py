"""Fits: settings, energies, the fitted model, fits in memory, in batches and by several processes."""
