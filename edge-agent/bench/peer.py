"""The agent that one writes in an afternoon: GStreamer's appsink, the bundle's SavedModel in TensorFlow or ONNX Runtime, a PNG, paho.

peer.py RUNTIME BUNDLE VIDEO clock|model PORT plays the video over and over until it is killed, at its own speed or as fast as
it goes, and publishes bench/peer/mask and bench/peer/result.
"""

import io
import json
import subprocess
import sys
import time

import numpy as np
import paho.mqtt.client as mqtt
from PIL import Image

sys.path.append("/usr/lib/python3/dist-packages")  # PyGObject is the system's
import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402, F401

runtime, bundle, video, pace, port = sys.argv[1:]
with open(f"{bundle}/manifest.json") as file:
    manifest = json.load(file)
width, height, road = manifest["input"]["width"], manifest["input"]["height"], manifest["road"]


def tensorflow():
    import tensorflow as tf

    model = tf.saved_model.load(f"{bundle}/model")
    serve = model.signatures["serve"]
    return lambda picture: serve(pictures=tf.constant(picture))["mask"].numpy()


def onnxruntime():
    import tempfile

    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        convert = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", f"{bundle}/model", "--tag", "serve"]
        subprocess.run([*convert, "--signature_def", "serve", "--output", path, "--opset", "18"], check=True, stdout=2)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda picture: session.run(["mask"], {"pictures": picture})[0]


infer = {"tensorflow": tensorflow, "onnxruntime": onnxruntime}[runtime]()
infer(np.zeros((1, height, width, 3), np.uint8))

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", int(port))
client.loop_start()

Gst.init(None)
paced = pace == "clock"
pipeline = Gst.parse_launch(
    f"filesrc location={video} ! decodebin ! identity name=decoded sync={paced} ! videoconvert ! videoscale add-borders=true "
    f"! video/x-raw,format=RGB,width={width},height={height} ! appsink name=sink sync=false max-buffers=1 drop={paced}"
)
sink = pipeline.get_by_name("sink")
pipeline.set_state(Gst.State.PLAYING)

while True:
    sample = sink.emit("pull-sample")
    if sample is None:
        pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.KEY_UNIT, 0)
        continue
    buffer = sample.get_buffer()
    # When the frame left the decoder and the wait for its time, on the monotonic clock, which is GStreamer's.
    running = sample.get_segment().to_running_time(Gst.Format.TIME, buffer.pts)
    decoded_us = (pipeline.get_base_time() + running) / 1000
    _, mapped = buffer.map(Gst.MapFlags.READ)
    picture = np.frombuffer(mapped.data, np.uint8).reshape(1, height, width, 3)
    started = time.perf_counter()
    mask = infer(picture)[0] == road
    infer_ms = 1000 * (time.perf_counter() - started)
    buffer.unmap(mapped)
    png = io.BytesIO()
    Image.fromarray(mask).save(png, "png")
    client.publish("bench/peer/mask", png.getvalue())
    result = {"decoded_us": decoded_us, "infer_ms": infer_ms, "road_percent": round(100 * float(mask.mean()), 2)}
    client.publish("bench/peer/result", json.dumps(result))
