"""What every room uses: refusals, whole files, progress."""
