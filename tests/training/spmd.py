"""The Trainer's updates as one XLA program that two CPU devices run.

TensorFlow compiles a replica's update with its collectives for GPUs and TPUs,
but refuses to run such a program on CPUs (its b/194942685). Here the Trainer
is made to believe that its two CPUs are GPUs, its updates are lowered to
StableHLO as they would be there, and jaxlib's XLA compiles and runs them.
"""

import re

import jax
import numpy as np
import tensorflow as tf
from jaxlib import xla_client
from tensorflow.compiler.tf2xla.python import xla
from tensorflow.python.distribute import (
    collective_util,
    distribute_lib,
    mirrored_run,
    mirrored_strategy,
)
from training import tiny

from dvdgan_tf.exporting.stablehlo import only_stablehlo
from dvdgan_tf.training import construction

REPLICAS = 2


class Strategy(tiny.Mirrored):
    """MirroredStrategy whose CPUs look like GPUs to code under XLA."""

    _collective_key_base = 2000

    def __init__(self, monkeypatch):
        super().__init__([f"CPU:{i}" for i in range(REPLICAS)])
        for module in (mirrored_run, mirrored_strategy):
            monkeypatch.setattr(module, "_is_gpu_device", lambda device: True)
        monkeypatch.setattr(construction, "_on_accelerators", lambda: True)
        # The replicas' number as an instruction: one program for them all.
        monkeypatch.setattr(
            distribute_lib.ReplicaContextBase,
            "replica_id_in_sync_group",
            property(lambda self: xla.replica_id()),
        )
        nccl = collective_util.CommunicationImplementation.NCCL
        for launcher in self.extended._collective_ops._launchers:
            launcher._options = collective_util.Options(implementation=nccl)


def run_step(trainer, iterator):
    """`Trainer.run` of one step, the updates of its replicas run by jaxlib.

    Args:
        trainer: made in the scope of a `Strategy`, with jit_compile.
        iterator: of distributed batches.

    Returns:
        The step's metrics, and its programs in the order of their first use.
    """
    programs = {}

    def on_replicas(update, *args):
        if update not in programs:
            programs[update] = Program(update, trainer.strategy, args)
        return sum(programs[update](args))

    trainer.on_replicas = on_replicas
    run = type(trainer).run.python_function
    metrics = run(trainer, iterator, tf.constant(1))
    return metrics.numpy()[0], list(programs.values())


class Program:
    """An update, lowered in replica context and compiled for two devices.

    Args:
        update: function that returns a tensor and assigns variables.
        strategy: a `Strategy`.
        args: of the update, per-replica values among them.
    """

    def __init__(self, update, strategy, args):
        self.strategy = strategy
        lowered = []

        def lower(*args):
            # One program serves all replicas: that of the first.
            if not lowered:
                function = tf.function(
                    tf.autograph.experimental.do_not_convert(update),
                    jit_compile=True,
                )
                lowered.append(function.get_concrete_function(*args))
                ir = function.experimental_get_compiler_ir(*args)
                lowered.append(ir(stage="stablehlo", platform_name="CPU"))
            return tf.constant(0)

        strategy.run(lower, args=args)
        self.concrete, self.text = lowered
        self.captured = [_captured(x) for x in self.concrete.captured_inputs]
        # Variables that it assigns are paired with their new values.
        pairs = re.findall(
            r"parameter_number = (\d+) : i64\}, "
            r"output_index = array<i64: (\d+)>",
            self.text,
        )
        first = len(self.concrete.inputs) - len(self.captured)
        self.assigned = {int(o): int(p) - first for p, o in pairs}
        self.client = xla_client.make_cpu_client(num_devices=REPLICAS)
        self.executable = self._compile()

    def _compile(self):
        options = xla_client.CompileOptions()
        options.num_replicas = REPLICAS
        # Compiles several times faster than what is optimised.
        options.env_option_overrides = [
            ("xla_backend_optimization_level", 0),
            ("xla_llvm_disable_expensive_passes", True),
        ]
        devices = xla_client.DeviceList(tuple(self.client.devices()))
        return self.client.compile_and_load(
            only_stablehlo(self.text), devices, options
        )

    def __call__(self, args):
        """Runs it on both devices, and assigns the variables of both.

        Returns:
            The results of the replicas.
        """
        inputs = zip(
            *(self._inputs(i, args) for i in range(REPLICAS)), strict=True
        )
        with jax.enable_x64(True):
            inputs = [self._put(values) for values in inputs]
        results = self.executable.execute_sharded(inputs)
        results = results.disassemble_into_single_device_arrays()
        results = [[np.asarray(x) for x in replicas] for replicas in results]
        for output, captured in self.assigned.items():
            components = self.captured[captured].values
            for component, value in zip(
                components, results[output], strict=True
            ):
                component.assign(value)
        return results[0]

    def _inputs(self, replica, args):
        for arg in tf.nest.flatten(args):
            local = self.strategy.experimental_local_results(arg)
            yield local[replica % len(local)]
        for x in self.captured:
            yield x.values[replica] if isinstance(x, tf.Variable) else x

    def _put(self, values):
        """An array that is `values[i]` on device i."""
        devices = self.client.devices()
        values = [np.asarray(value) for value in values]
        # To JAX it is one value with copies, which it does not compare.
        sharding = jax.sharding.NamedSharding(
            jax.sharding.Mesh(np.array(devices), "replicas"),
            jax.sharding.PartitionSpec(),
        )
        return jax.make_array_from_single_device_arrays(
            values[0].shape,
            sharding,
            [
                jax.device_put(value, device)
                for value, device in zip(values, devices, strict=True)
            ],
        )


def _captured(tensor):
    """The mirrored variable whose handle a function has captured.

    Or the tensor itself; and in place of the token that orders collectives,
    of which XLA has no need, what it holds.
    """
    if tensor.dtype != tf.resource:
        return tensor
    if not hasattr(tensor, "_distributed_container"):
        return tf.constant(0.0)
    return tensor._distributed_container()
