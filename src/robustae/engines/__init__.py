"""Engines that bring the processes and the rows: Ray and Spark run the same functions as torchrun does.

Modules `ray` and `spark`, each with `fit` and `score`; what they need are the extras of these names.
"""
