"""Peers in inference: uint8 pictures in; class ids, share of each class and confidence out, as numpy arrays."""

import multiprocessing
import os

import numpy as np
from peer import keras_fcn, mean, scale, serve


def apart(make, task, path):
    """The file that make() writes, unless there is one. In a process of its own: converters leave gigabytes behind."""
    path = f"{task.folder}/{path}"
    if not os.path.exists(path):
        process = multiprocessing.get_context("fork").Process(target=make, args=(task, path))
        process.start()
        process.join()
        if process.exitcode != 0:
            raise RuntimeError(f"{path} could not be made; the lines above say why")
    return path


def served(task):
    """What our SavedModel serves, as a TensorFlow function: the graph that the other peers convert."""
    import tensorflow as tf

    model = tf.saved_model.load(f"{task.folder}/float32")
    spec = tf.TensorSpec([None, task.height, task.width, 3], tf.uint8, name="pictures")
    return model, tf.function(lambda pictures: model.signatures["serve"](pictures=pictures), input_signature=[spec])


def keras(task):
    import tensorflow as tf

    model = keras_fcn(task)

    @tf.function(jit_compile=False)
    def answer(pictures):
        logits = model((tf.cast(pictures, tf.float32) - mean) / scale, training=False)
        scores = tf.nn.softmax(logits)
        mask = tf.argmax(logits, 3, tf.int32)
        shares = tf.reduce_mean(tf.one_hot(mask, task.classes), [1, 2])
        return mask, shares, tf.reduce_mean(tf.reduce_max(scores, 3), [1, 2])

    def make(batch):
        pictures = task.pictures[:batch]
        return lambda: [output.numpy() for output in answer(tf.constant(pictures))][0]

    return make


def convert_onnx(task, path):
    import tf2onnx

    _model, function = served(task)
    tf2onnx.convert.from_function(function, function.input_signature, opset=18, output_path=path)


def quantise_onnx(task, path):
    """Static quantisation, calibrated on the task's pictures, with scales by channel."""
    from onnxruntime import quantization

    class Pictures(quantization.CalibrationDataReader):
        rest = iter(task.pictures)

        def get_next(self):
            picture = next(self.rest, None)
            return None if picture is None else {"pictures": picture[np.newaxis]}

    types = {"activation_type": quantization.QuantType.QUInt8, "weight_type": quantization.QuantType.QInt8}
    float32 = f"{task.folder}/float32.onnx"
    quantization.quantize_static(
        float32, path, Pictures(), quant_format=quantization.QuantFormat.QDQ, per_channel=True, **types
    )


def onnxruntime(task, quantised=False):
    path = apart(convert_onnx, task, "float32.onnx")
    if quantised:
        path = apart(quantise_onnx, task, "int8.onnx")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    # Its threads would spin for a while after a call, in the next contestant's turn.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    mask = [output.name for output in session.get_outputs()].index("mask")

    def make(batch):
        pictures = task.pictures[:batch]
        return lambda: session.run(None, {"pictures": pictures})[mask]

    return make


def convert_openvino(task, path):
    import openvino

    _model, function = served(task)
    openvino.save_model(openvino.convert_model(function.get_concrete_function()), path, compress_to_fp16=False)


def quantise_openvino(task, path):
    """Quantised after training by NNCF, calibrated on the task's pictures."""
    import nncf
    import openvino

    pictures = nncf.Dataset([picture[np.newaxis] for picture in task.pictures])
    model = openvino.Core().read_model(f"{task.folder}/float32.xml")
    openvino.save_model(nncf.quantize(model, pictures, subset_size=len(task.pictures)), path, compress_to_fp16=False)


def openvino(task, precision, quantised=False):
    path = apart(convert_openvino, task, "float32.xml")
    if quantised:
        path = apart(quantise_openvino, task, "int8.xml")
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    config = {
        "INFERENCE_NUM_THREADS": task.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
    }

    def make(batch):
        # It does better where it knows the batch.
        model.reshape([batch, task.height, task.width, 3])
        request = core.compile_model(model, "CPU", config).create_infer_request()
        pictures = task.pictures[:batch]
        return lambda: request.infer([pictures], share_inputs=True)["mask"]

    return make


if __name__ == "__main__":
    serve(
        {
            "keras": keras,
            "onnxruntime": onnxruntime,
            "onnxruntime-int8": lambda task: onnxruntime(task, quantised=True),
            "openvino": lambda task: openvino(task, "f32"),
            "openvino-bfloat16": lambda task: openvino(task, "bf16"),
            "openvino-int8": lambda task: openvino(task, "f32", quantised=True),
        }
    )
