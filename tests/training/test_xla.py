"""The train step under XLA: compiled, on one device and on two, and clean."""

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from training import spmd, test_prediction, test_reduced_inputs, tiny

from dvdgan_tf.layers.tsru import TSRUs

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")

# Adam's epsilon is large, lest the first step be one of the gradients' signs,
# which rounding turns.
SETTINGS = dict(
    learning_rate_g=1e-2,
    learning_rate_d=1e-2,
    adam_epsilon=0.1,
    ema_decay=0.75,
    ema_start_step=0,
)

HOST_OPS = re.compile(
    r"PyFunc|Print|Assert|Write.*Summary|Iterator|Save|Restore|String|Where$"
    r"|Unique|Random|Variable$|Queue|Host|Outside|Infeed|Outfeed"
)


def step(trainer):
    history = trainer.run(tiny.batches(trainer), tf.constant(1))
    return dict(zip(tiny.METRICS, history.numpy()[0], strict=True))


@pytest.fixture(scope="module")
def plain():
    """Variables before and after a step without XLA, and its metrics."""
    trainer = tiny.trainer(**SETTINGS)
    before = tiny.values(trainer)
    tf.config.run_functions_eagerly(True)
    try:
        metrics = step(trainer)
    finally:
        tf.config.run_functions_eagerly(False)
    return before, tiny.values(trainer), metrics


@pytest.fixture(scope="module")
def replicated():
    """A step as one program on two devices: trainer, programs and metrics."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        strategy = spmd.Strategy(monkeypatch)
        trainer = tiny.trainer(strategy, jit_compile=True, **SETTINGS)
        metrics, programs = spmd.run_step(trainer, tiny.batches(trainer))
    return trainer, programs, dict(zip(tiny.METRICS, metrics, strict=True))


def check_metrics(found, expected, names):
    for name in names:
        np.testing.assert_allclose(
            found[name], expected[name], rtol=1e-4, atol=1e-4, err_msg=name
        )


def check_variables(trainer, plain, least=0.5):
    before, expected, _ = plain
    found = tiny.values(trainer)
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, rtol=1e-3, atol=1e-4, err_msg=name
        )
    moved = [np.abs(expected[k] - before[k]).max() > 1e-3 for k in expected]
    assert np.mean(moved) > least  # Or little would have been compared.


def test_one_device(plain):
    """With parts and recomputation; without them: the next test."""
    networks = {
        name: functools.partial(network, recompute=True)
        for name, network in tiny.NETWORKS.items()
    }
    trainer = tiny.trainer(
        jit_compile=True, accumulation_steps=2, **networks, **SETTINGS
    )
    check_metrics(step(trainer), plain[2], tiny.METRICS)
    check_variables(trainer, plain)


def test_what_differs_in_other_models():
    """Frames that are given, a unit that warps, D's with less to see."""
    models = {
        "generator": functools.partial(
            test_prediction.GENERATOR, recurrent_unit=TSRUs
        ),
        **test_reduced_inputs.REDUCED,
    }
    eager = tiny.trainer(d_steps=1, **models, **SETTINGS)
    before = tiny.values(eager)
    tf.config.run_functions_eagerly(True)
    try:
        metrics = step(eager)
    finally:
        tf.config.run_functions_eagerly(False)
    compiled = tiny.trainer(d_steps=1, jit_compile=True, **models, **SETTINGS)
    check_metrics(step(compiled), metrics, tiny.METRICS)
    after = tiny.values(eager)
    # One update of D, and flows that begin at 0, move fewer variables.
    check_variables(compiled, (before, after, metrics), least=0.4)
    kernels = [n for n in after if n.endswith("kernel") and "ema" not in n]
    flows = [n for n in kernels if "recurrent" in n and "flow" in n]
    encoder = [n for n in kernels if "frame_encoder" in n]
    assert flows and encoder
    for name in flows + encoder:
        assert np.abs(after[name] - before[name]).max() > 1e-5, name


def test_two_devices_equal_one(plain, replicated):
    trainer, _, metrics = replicated
    # Norms are of the replicas' shares of the gradients, summed.
    names = [
        name for name in tiny.METRICS if not name.startswith("gradient_norm")
    ]
    check_metrics(metrics, plain[2], names)
    check_variables(trainer, plain)


def test_replicas_stay_alike(replicated):
    for name, variable in replicated[0].variables().items():
        if isinstance(variable, keras.Variable):
            variable = variable.value
        first, second = variable.values
        np.testing.assert_array_equal(first, second, err_msg=name)


def test_communication_of_a_step(replicated):
    """One reduction for all gradients, and one per batch norm and pass."""
    trainer, programs, _ = replicated
    norms = len(trainer.generator.batch_norms())
    d, g = (p.text.count('"stablehlo.all_reduce"') for p in programs)
    assert d == norms + 1
    assert g == 2 * norms + 1


def test_programs_stay_on_the_device(replicated):
    for program in replicated[1]:
        operations = {*re.findall(r"\b(?:stable|m|c)hlo\.\w+", program.text)}
        assert "stablehlo.convolution" in operations
        assert not operations & {
            "stablehlo.custom_call",
            "stablehlo.infeed",
            "stablehlo.outfeed",
            "stablehlo.send",
            "stablehlo.recv",
            "stablehlo.rng",
            "stablehlo.rng_bit_generator",
        }
        assert "tensor<?" not in program.text and "x?" not in program.text


def test_graphs_have_no_host_ops_and_static_shapes(replicated):
    for program in replicated[1]:
        definition = program.concrete.graph.as_graph_def(add_shapes=True)
        functions = definition.library.function
        nodes = [*definition.node, *(n for f in functions for n in f.node_def)]
        types = {node.op for node in nodes}
        assert not [t for t in types if HOST_OPS.search(t)]
        products = [n for n in definition.node if is_product(n.op)]
        assert len(products) > 20
        for node in products:
            (shape,) = node.attr["_output_shapes"].list.shape
            assert not shape.unknown_rank, node.name
            assert all(d.size > 0 for d in shape.dim), node.name


def is_product(op):
    return op.startswith(("Conv2D", "Conv3D", "MatMul", "BatchMatMul"))
