"""What the peers in Python share: the task, the protocol of contestant.ts, and the network in Keras."""

import base64
import json
import os
import sys
import time

import numpy as np

mean = np.array([123.68, 116.779, 103.939], np.float32)
scale = 64
blocks = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]


class Task:
    """The folder that prepare() of ours.ts wrote."""

    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/task.json") as file:
            self.__dict__.update(json.load(file))
        size = (-1, self.height, self.width)
        self.pictures = np.fromfile(f"{folder}/pictures.raw", np.uint8).reshape(*size, 3)
        self.labels = np.fromfile(f"{folder}/labels.raw", np.uint8).reshape(size)

    def weights(self):
        """Arrays by name, as tfjs has them (kernels [h, w, in, out]); the format is safetensors."""
        path = f"{self.folder}/weights.safetensors"
        with open(path, "rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(start - 8))
        values = np.memmap(path, np.uint8, "r", offset=start)
        header.pop("__metadata__", None)
        return {
            name: values[slice(*tensor["data_offsets"])].view(np.float32).reshape(tensor["shape"])
            for name, tensor in header.items()
        }


def serve(peers):
    """Runs the peer that the command line names: peer, measurement, folder. A peer takes the task and gives a function from a batch size to a call."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print what they like on standard output
    make = peers[sys.argv[1]](Task(sys.argv[3]))
    batch, call = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if batch != request["batch"]:
            batch = request["batch"]
            call = make(batch)
        reply = run(call, request)
        with open("/proc/self/status") as status:
            reply["peakBytes"] = 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        print(json.dumps(reply), file=replies, flush=True)


def run(call, request):
    if "calls" in request:
        return {"results": [encoded(call()) for _ in range(request["calls"])]}
    call()  # caches are cold and threads asleep
    ms = []
    end = time.perf_counter() + request["seconds"]
    while not ms or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        ms.append(1000 * (time.perf_counter() - start))
    return {"ms": ms}


def encoded(result):
    return float(result) if np.ndim(result) == 0 else base64.b64encode(np.asarray(result, np.uint8).tobytes()).decode()


def keras_fcn(task):
    """FCN-8s on VGG16 with the task's weights, from normalised pictures to logits."""
    import keras

    weights = task.weights()
    layers = keras.layers
    batch_norm = "conv1_1_bn/gamma" in weights

    def conv(x, name, filters, size):
        x = layers.Conv2D(
            filters, size, padding="same", name=name, use_bias=not batch_norm, activation=None if batch_norm else "relu"
        )(x)
        if not batch_norm:
            return x
        return layers.ReLU()(layers.BatchNormalization(momentum=0.95, epsilon=1e-3, name=f"{name}_bn")(x))

    def up(x, name, factor, like):
        x = layers.Conv2DTranspose(
            task.classes, 2 * factor, factor, padding="same", use_bias=False, name=name, trainable=name != "upscore8"
        )(x)
        # Pooling rounds sizes up.
        return layers.Cropping2D([(0, more - size) for more, size in zip(x.shape[1:3], like.shape[1:3])])(x)

    def score(x, name):
        return layers.Conv2D(task.classes, 1, name=name)(x)

    x = data = keras.Input((task.height, task.width, 3))
    pools = []
    for block, (convs, channels) in enumerate(blocks, 1):
        for i in range(1, convs + 1):
            x = conv(x, f"conv{block}_{i}", round(channels * task.multiplier), 3)
        x = layers.MaxPooling2D(2, padding="same")(x)
        pools.append(x)
    x = conv(conv(x, "fc6", task.fc, 7), "fc7", task.fc, 1)
    x = layers.Add()([up(score(x, "score_fr"), "upscore2", 2, pools[3]), score(pools[3], "score_pool4")])
    x = layers.Add()([up(x, "upscore_pool4", 2, pools[2]), score(pools[2], "score_pool3")])
    model = keras.Model(data, up(x, "upscore8", 8, data))
    for layer in model.layers:
        layer.set_weights([weights[f"{layer.name}/{weight.name}"] for weight in layer.weights])
    return model
