"""The shortest Keras script that answers for one image: `python keras_script.py MODEL.keras IMAGE`. A rival."""

import sys

import keras
import numpy as np
from PIL import Image

__all__: list[str] = []

if __name__ == "__main__":
    model = keras.models.load_model(sys.argv[1], compile=False)
    pixels = Image.open(sys.argv[2]).convert("RGB").resize(model.input_shape[1:3])
    sys.stdout.write(f"{model.predict(np.asarray(pixels, 'float32')[None], verbose=0)}\n")
