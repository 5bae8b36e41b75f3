"""Peers in training: a step of AdamW from uint8 pictures and labels to the loss before it."""

from peer import blocks, keras_fcn, mean, scale, serve


def keras(task):
    import keras
    import tensorflow as tf

    model = keras_fcn(task)
    optimizer = keras.optimizers.AdamW(task.learningRate, weight_decay=task.weightDecay, epsilon=1e-7)
    learnt = model.trainable_variables
    optimizer.exclude_from_weight_decay([variable for variable in learnt if len(variable.shape) < 2])
    optimizer.build(learnt)

    @tf.function(jit_compile=False)
    def step(pictures, labels):
        with tf.GradientTape() as tape:
            logits = model((tf.cast(pictures, tf.float32) - mean) / scale, training=True)
            labels = tf.cast(labels, tf.int32)
            weight = tf.cast(labels != task.ignore, tf.float32)
            entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(labels == task.ignore, 0, labels), logits)
            loss = tf.reduce_sum(entropy * weight) / tf.maximum(tf.reduce_sum(weight), 1)
        optimizer.apply(tape.gradient(loss, [variable.value for variable in learnt]))
        return loss

    def make(batch):
        pictures, labels = task.pictures[:batch], task.labels[:batch]
        return lambda: step(tf.constant(pictures), tf.constant(labels)).numpy()

    return make


def torch_fcn(task):
    """FCN-8s on VGG16 with the task's weights, from normalised pictures [n, 3, h, w] to logits."""
    import torch
    from torch import nn

    weights = {name: torch.tensor(value) for name, value in task.weights().items()}

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            for name, value in weights.items():
                layer, kind = name.split("/")
                if kind == "kernel" and layer.startswith("up"):
                    made = nn.ConvTranspose2d(*value.shape[3:1:-1], value.shape[0], value.shape[0] // 2, value.shape[0] // 4, bias=False)
                    made.requires_grad_(layer != "upscore8")
                elif kind == "kernel":
                    size, channels = value.shape[0], value.shape[2:]
                    made = nn.Conv2d(*channels, size, padding=size // 2, bias=f"{layer}/bias" in weights)
                elif kind == "gamma":
                    made = nn.BatchNorm2d(len(value), eps=1e-3, momentum=0.05)
                else:
                    continue
                self.add_module(layer, made)
            kinds = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
            with torch.no_grad():
                for name, value in weights.items():
                    layer, kind = name.split("/")
                    own = getattr(getattr(self, layer), kinds.get(kind, kind))
                    # Kernels [h, w, in, out] (transposed ones [h, w, out, in]) become [out, in, h, w] ([in, out, h, w]).
                    own.copy_(value.permute(3, 2, 0, 1) if value.ndim == 4 else value)

        def conv(self, x, name):
            x = getattr(self, name)(x)
            return torch.relu(getattr(self, f"{name}_bn")(x) if hasattr(self, f"{name}_bn") else x)

        def forward(self, x):
            pools = []
            for block, (convs, _) in enumerate(blocks, 1):
                for i in range(1, convs + 1):
                    x = self.conv(x, f"conv{block}_{i}")
                x = nn.functional.max_pool2d(x, 2)
                pools.append(x)
            x = self.conv(self.conv(x, "fc6"), "fc7")
            x = self.upscore2(self.score_fr(x)) + self.score_pool4(pools[3])
            x = self.upscore_pool4(x) + self.score_pool3(pools[2])
            return self.upscore8(x)

    return Net()


def pytorch(task, half=False):
    """channels_last, its fused AdamW, and for bfloat16 its autocast."""
    import torch

    torch.set_num_threads(task.threads)
    model = torch_fcn(task).train().to(memory_format=torch.channels_last)
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in learnt if parameter.ndim >= 2], "weight_decay": task.weightDecay},
        {"params": [parameter for parameter in learnt if parameter.ndim < 2], "weight_decay": 0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=task.learningRate, eps=1e-7, fused=True)
    offset = torch.tensor(mean).view(1, 3, 1, 1)

    def step(pictures, labels):
        # A picture in memory is [h, w, channels], which is what channels_last means.
        x = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - offset) / scale
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits.float(), torch.from_numpy(labels).long(), ignore_index=task.ignore)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return lambda batch: lambda: step(task.pictures[:batch], task.labels[:batch])


if __name__ == "__main__":
    serve({"keras": keras, "pytorch": pytorch, "pytorch-bfloat16": lambda task: pytorch(task, half=True)})
