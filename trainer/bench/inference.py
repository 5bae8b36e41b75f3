"""Peers in inference: uint8 pictures in; class ids, share of each class and confidence out, as numpy arrays."""

import multiprocessing
import os

import numpy as np
from peer import blocks, keras_fcn, mean, scale, serve


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


def write_onnx(task, path):
    """The graph that our SavedModel serves, written as ONNX; tf2onnx takes more than 20 GB for the widest network."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = task.weights()
    nodes, constants = [], []

    def constant(value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), f"constant_{len(constants)}"))
        return constants[-1].name

    def node(op, *inputs, output=None, **attributes):
        output = output or f"{op}_{len(nodes)}"
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def conv(x, name):
        kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
        pads = [kernel.shape[2] // 2] * 4
        x = node("Conv", x, constant(kernel), constant(weights[f"{name}/bias"]), pads=pads)
        return x if name.startswith("score") else node("Relu", x)

    def up(x, kernel, level):
        """To the size that pooling `level` times gives; it rounds up."""
        factor = kernel.shape[0] // 2
        x = node("ConvTranspose", x, constant(kernel.transpose(3, 2, 0, 1)), strides=[factor] * 2, pads=[factor // 2] * 4)
        size = [-(-size // 2**level) for size in (task.height, task.width)]
        return node("Slice", x, constant(np.array([0, 0])), constant(np.array(size)), constant(np.array([2, 3])))

    x = node("Cast", node("Transpose", "pictures", perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
    x = node("Mul", node("Sub", x, constant(mean.reshape(3, 1, 1))), constant(np.float32(1 / scale)))
    pools = []
    for block, (convs, _) in enumerate(blocks, 1):
        for i in range(1, convs + 1):
            x = conv(x, f"conv{block}_{i}")
        x = node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        pools.append(x)
    x = conv(conv(conv(x, "fc6"), "fc7"), "score_fr")
    x = node("Add", up(x, weights["upscore2/kernel"], 4), conv(pools[3], "score_pool4"))
    x = node("Add", up(x, weights["upscore_pool4/kernel"], 3), conv(pools[2], "score_pool3"))
    # As in ours, by how much road leads instead of both classes.
    kernel = weights["upscore8/kernel"]
    lead = node("Squeeze", up(x, kernel[:, :, 1:] - kernel[:, :, :1], 0), constant(np.array([1])))
    mask = node("Greater", lead, constant(np.float32(0)))
    node("Cast", mask, to=TensorProto.INT32, output="mask")
    axes = constant(np.array([1, 2]))
    share = node("ReduceMean", node("Cast", mask, to=TensorProto.FLOAT), axes, keepdims=0)
    shares = [node("Unsqueeze", one, constant(np.array([1]))) for one in (node("Sub", constant(np.float32(1)), share), share)]
    node("Concat", *shares, axis=1, output="class_share")
    node("ReduceMean", node("Sigmoid", node("Abs", lead)), axes, keepdims=0, output="confidence")

    size = ["n", task.height, task.width]
    outputs = [
        helper.make_tensor_value_info("mask", TensorProto.INT32, size),
        helper.make_tensor_value_info("class_share", TensorProto.FLOAT, ["n", 2]),
        helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["n"]),
    ]
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, [*size, 3])
    graph = helper.make_graph(nodes, "fcn8s", [pictures], outputs, constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)


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
    path = apart(write_onnx, task, "float32.onnx")
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
    import tensorflow as tf

    model = tf.saved_model.load(f"{task.folder}/float32")
    spec = tf.TensorSpec([None, task.height, task.width, 3], tf.uint8, name="pictures")
    served = tf.function(lambda pictures: model.signatures["serve"](pictures=pictures), input_signature=[spec])
    openvino.save_model(openvino.convert_model(served.get_concrete_function()), path, compress_to_fp16=False)


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
