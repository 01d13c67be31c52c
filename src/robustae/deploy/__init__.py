"""Where fitted models work: HTTP, standard input, Ray, Spark, MLflow."""
