"""The hands-on session: checks for a learner's own losses, lessons as notebooks, a page for the classroom."""

from robustae.tutorial.checking import (
    check_autoencoder_loss,
    check_robust_autoencoder_loss,
    check_soft_threshold,
)
from robustae.tutorial.classroom import write_classroom
from robustae.tutorial.drawing import show_images
from robustae.tutorial.feedback import Feedback
from robustae.tutorial.lessons import write_lessons
from robustae.tutorial.serving import serve_classroom

__all__ = [
    "Feedback",
    "check_autoencoder_loss",
    "check_robust_autoencoder_loss",
    "check_soft_threshold",
    "serve_classroom",
    "show_images",
    "write_classroom",
    "write_lessons",
]
