"""A bundle's answers in TensorFlow for Python: what answer.ts does in tfjs-node.

answer.py BUNDLE PICTURES OUT: PICTURES holds the bytes of two pictures; writes OUT/mask (int32) and OUT/probability
(float32) and prints the version of TensorFlow.
"""

import json
import sys

import numpy as np
import tensorflow as tf

bundle, pictures, out = sys.argv[1:]
with open(f"{bundle}/manifest.json", encoding="utf8") as file:
    size = json.load(file)["input"]
pictures = tf.constant(np.fromfile(pictures, np.uint8).reshape(2, size["height"], size["width"], 3))
signatures = tf.saved_model.load(f"{bundle}/model").signatures
signatures["serve"](pictures=pictures)["mask"].numpy().tofile(f"{out}/mask")
signatures["score"](pictures=pictures)["probability"].numpy().tofile(f"{out}/probability")
print(tf.__version__)
