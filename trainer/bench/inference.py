"""Peers in inference: uint8 pictures in; class ids, share of each class and confidence out, as numpy arrays."""

import os

import numpy as np
from peer import keras_fcn, mean, scale, serve


def served(task):
    """What our SavedModel answers, as a TensorFlow function of pictures: the graph that the other peers convert."""
    import tensorflow as tf

    model = tf.saved_model.load(f"{task.folder}/float32")
    spec = tf.TensorSpec([None, task.height, task.width, 3], tf.uint8, name="pictures")
    function = tf.function(lambda pictures: model.signatures["serve"](pictures=pictures), input_signature=[spec])
    return model, function


def keras(task):
    import tensorflow as tf

    model = keras_fcn(task)

    @tf.function(jit_compile=False)
    def answer(pictures):
        logits = model((tf.cast(pictures, tf.float32) - mean) / scale, training=False)
        if task.classes == 2:
            scores = tf.sigmoid(logits[..., 1] - logits[..., 0])
            mask = tf.cast(scores > 0.5, tf.int32)
            winner = tf.maximum(scores, 1 - scores)
        else:
            scores = tf.nn.softmax(logits)
            mask = tf.argmax(scores, 3, tf.int32)
            winner = tf.reduce_max(scores, 3)
        shares = tf.stack([tf.reduce_mean(tf.cast(mask == i, tf.float32), [1, 2]) for i in range(task.classes)], 1)
        return mask, shares, tf.reduce_mean(winner, [1, 2])

    def make(batch):
        pictures = task.pictures[:batch]
        return lambda: [output.numpy() for output in answer(tf.constant(pictures))][0]

    return make


def onnx(task):
    """Path of the graph as ONNX; made once for all that want it."""
    import tf2onnx

    path = f"{task.folder}/float32.onnx"
    if not os.path.exists(path):
        model, function = served(task)
        tf2onnx.convert.from_function(function, function.input_signature, opset=18, output_path=path)
    return path


def run_onnx(task, path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    # Its threads spin for a while after a call, in which the next contestant computes.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (data,) = session.get_inputs()
    mask = [output.name for output in session.get_outputs()].index("mask")

    def make(batch):
        pictures = task.pictures[:batch]
        return lambda: session.run(None, {data.name: pictures})[mask]

    return make


def onnxruntime(task):
    return run_onnx(task, onnx(task))


def onnxruntime_int8(task):
    """Static quantisation, calibrated on the task's pictures, with scales by channel."""
    from onnxruntime import quantization

    path = f"{task.folder}/int8.onnx"

    class Pictures(quantization.CalibrationDataReader):
        rest = iter(task.pictures)

        def get_next(self):
            picture = next(self.rest, None)
            return None if picture is None else {"pictures": picture[np.newaxis]}

    quantization.quantize_static(
        onnx(task),
        path,
        Pictures(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return run_onnx(task, path)


def run_openvino(task, model, precision):
    import openvino

    config = {
        "INFERENCE_NUM_THREADS": task.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
    }

    def make(batch):
        # It does better where it knows the batch.
        model.reshape([batch, task.height, task.width, 3])
        request = openvino.Core().compile_model(model, "CPU", config).create_infer_request()
        pictures = task.pictures[:batch]
        return lambda: request.infer([pictures], share_inputs=True)["mask"]

    return make


def convert_openvino(task):
    import openvino

    _, function = served(task)
    return openvino.convert_model(function.get_concrete_function(), share_weights=False)


def openvino(task):
    return run_openvino(task, convert_openvino(task), "f32")


def openvino_bfloat16(task):
    return run_openvino(task, convert_openvino(task), "bf16")


def openvino_int8(task):
    """Quantised after training by NNCF, calibrated on the task's pictures."""
    import nncf

    pictures = nncf.Dataset([picture[np.newaxis] for picture in task.pictures])
    return run_openvino(task, nncf.quantize(convert_openvino(task), pictures, subset_size=len(task.pictures)), "f32")


if __name__ == "__main__":
    serve(
        {
            "keras": keras,
            "onnxruntime": onnxruntime,
            "onnxruntime-int8": onnxruntime_int8,
            "openvino": openvino,
            "openvino-bfloat16": openvino_bfloat16,
            "openvino-int8": openvino_int8,
        }
    )
