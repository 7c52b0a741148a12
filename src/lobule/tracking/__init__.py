"""What a finished run tells TensorBoard and MLflow; the run folder alone is always enough."""
