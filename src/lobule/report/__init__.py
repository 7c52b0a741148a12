"""From metrics to pictures, one self-contained page and a model card."""
