"""Images: spoilt ones repaired."""
