"""What a robust autoencoder is compared with: robust PCA, its convex ancestor, and the usual methods."""

from robustae.baselines.compare import ReconstructionPCA, comparison_methods
from robustae.baselines.ddc import DDC
from robustae.baselines.drmf import DRMF
from robustae.baselines.godec import GoDec
from robustae.baselines.neighbours import KNNDistance, one_class_svm
from robustae.baselines.orpca import OnlineRobustPCA
from robustae.baselines.rkpca import RKPCA
from robustae.estimators.robust_pca import RobustPCA
from robustae.solvers.pursuit import Pursuit, pursue

__all__ = [
    "DDC",
    "DRMF",
    "RKPCA",
    "GoDec",
    "KNNDistance",
    "OnlineRobustPCA",
    "Pursuit",
    "ReconstructionPCA",
    "RobustPCA",
    "comparison_methods",
    "one_class_svm",
    "pursue",
]
