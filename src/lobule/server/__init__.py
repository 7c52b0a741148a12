"""A trained model as a REST service and a web page on the user's own computer; needs neither Keras nor TensorFlow."""
