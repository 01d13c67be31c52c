"""scikit-learn's faces of the models: fit, score, explain, save."""
