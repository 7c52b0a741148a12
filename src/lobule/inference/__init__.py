"""From a bundle and images to predictions and heat maps; needs neither Keras nor TensorFlow."""
