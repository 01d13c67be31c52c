"""What a robust autoencoder is compared with: robust PCA, its convex ancestor, and the usual methods."""

from robustae.baselines.compare import ReconstructionPCA, comparison_methods
from robustae.baselines.pursuit import Pursuit, pursue
from robustae.baselines.rpca import RobustPCA

__all__ = ["Pursuit", "ReconstructionPCA", "RobustPCA", "comparison_methods", "pursue"]
