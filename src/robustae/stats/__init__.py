"""Robust estimates: location, scale, scaling, components, thresholds."""
