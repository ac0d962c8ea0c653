"""Seconds of one update of pretraining, from what it computes and how fast a device does that.

On a CPU, coefficients are seconds for each unit of work, fitted to trials on that machine
(grid/budget/calibrate.py). On a GPU, whose peaks are published, they are the share of the peak that
products reach and the bytes that everything else moves; see calibration.json for their sources.
"""

from collections.abc import Mapping

from grid.budget.devices import Device
from grid.budget.memory import Shape, rank_parameters, scored_twice


def layer_flops(shape: Shape) -> float:
    """FLOPs of a token in all layers' matrices, forward and backward (6 a weight), on one rank."""
    encoder = shape.encoder
    width = encoder.width
    weights = encoder.layers * (4 * width * width + 2 * width * encoder.feed_forward_size)
    return 6 * weights / shape.tensor_parallel


def attention_flops(shape: Shape) -> float:
    """FLOPs of a token in attention's scores and sums, forward and backward, on one rank."""
    encoder = shape.encoder
    attended = shape.pretraining.sequence_length
    return 12 * encoder.layers * attended * encoder.width / shape.tensor_parallel


def head_flops(shape: Shape) -> float:
    """FLOPs of a masked place in the head: its own matrix on every rank, and the full softmax."""
    width = shape.encoder.width
    return 6 * width * (width + shape.rows / shape.tensor_parallel)


def work(shape: Shape) -> dict[str, float]:
    """What one update computes on one rank of a CPU, in the units of the coefficients.

    Layers are computed forward, backward (twice the forward's work), and with activation
    checkpointing forward once more.
    """
    encoder = shape.encoder
    precision = shape.pretraining.precision
    again = 4 / 3 if shape.checkpointing else 1.0
    tokens = shape.rank_sequences * shape.pretraining.sequence_length
    places = tokens * shape.pretraining.mask_probability
    wide = shape.value_bytes / 2
    values = tokens * encoder.layers * (encoder.width + encoder.feed_forward_size / 4) / 2
    scores = (
        tokens * shape.pretraining.sequence_length * encoder.layers * encoder.heads
        / shape.tensor_parallel
    )  # fmt: skip
    parameters = rank_parameters(encoder, shape.rows, shape.tensor_parallel)
    twice = scored_twice(shape, "cpu")
    head = (4 / 3 if twice else 1.0) * places * head_flops(shape)
    products = again * tokens * layer_flops(shape) + head
    outputs = wide * places * shape.rows / shape.tensor_parallel
    return {
        "product_bf16": products if precision == "bf16" else 0.0,
        "product_fp32": products if precision == "fp32" else 0.0,
        "attention": again * wide * tokens * attention_flops(shape),
        "attention_score": again * wide * scores,
        "attention_dropout": again * scores if encoder.attention_dropout else 0.0,
        "value": again * wide * values,
        "dropout": again * values if encoder.dropout else 0.0,
        "score": 0.0 if twice else outputs,
        "score_again": outputs if twice else 0.0,
        "parameter": float(parameters),
        "gradient": wide * parameters * shape.accumulation,
        "layer": again * encoder.layers * shape.accumulation,
        "update": 1.0,
    }


def update_seconds(shape: Shape, device: Device, coefficients: Mapping[str, float]) -> float:
    """Seconds of one update on every rank together."""
    if device.kind == "cpu":
        return sum(coefficients[name] * amount for name, amount in work(shape).items())
    return _on_gpu(shape, device, coefficients)


def _on_gpu(shape: Shape, device: Device, coefficients: Mapping[str, float]) -> float:
    """Products at a share of the peak; layers' other passes, the update and sums by bandwidth."""
    encoder, degree = shape.encoder, shape.tensor_parallel
    again = 4 / 3 if shape.checkpointing else 1.0
    tokens = shape.rank_sequences * shape.pretraining.sequence_length
    places = tokens * shape.pretraining.mask_probability
    flops = again * tokens * (layer_flops(shape) + attention_flops(shape))
    flops += 4 / 3 * places * head_flops(shape)  # its scores are computed twice, in chunks
    peak = device.peak_of(shape.pretraining.precision)
    passes = again * tokens * encoder.layers * encoder.width * coefficients["bytes_a_value"]
    passes += places * shape.rows / degree * coefficients["bytes_a_score"]
    update = rank_parameters(encoder, shape.rows, degree) * coefficients["bytes_a_parameter"]
    # Four sums over the group in each layer: two forward, two backward (Shoeybi et al. 2019).
    summed = 4 * encoder.layers * tokens * encoder.width * shape.value_bytes
    ring = 2 * (degree - 1) / degree * summed / device.link
    return (
        flops / (peak * coefficients[f"efficiency_{device.name}"])
        + passes * shape.value_bytes / 2 / device.bandwidth
        + update / device.bandwidth
        + ring
        + coefficients["update"]
    )


def start_seconds(shape: Shape, coefficients: Mapping[str, float]) -> float:
    """Seconds before the first update and after the last: imports, the model, its file."""
    own = rank_parameters(shape.encoder, shape.rows, shape.tensor_parallel)
    return coefficients["start"] + coefficients["start_parameter"] * own
