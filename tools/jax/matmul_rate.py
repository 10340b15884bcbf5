"""The rate of matrix products on JAX's default device: a chip's ceiling."""

import time

import jax
import jax.numpy as jnp


def measure(size, repeats=20):
    """Measures products of square matrices.

    Args:
        size: rows of the matrices.
        repeats: products, one after the other, per measurement.

    Returns:
        {name: TFLOP/s}: "bfloat16"; "float32" as XLA computes it where a
        module does not say how (on GPUs in TF32); and "float32_highest".
    """
    rates = {}
    for name, dtype, precision in (
        ("bfloat16", jnp.bfloat16, "default"),
        ("float32", jnp.float32, "default"),
        ("float32_highest", jnp.float32, "highest"),
    ):

        @jax.jit
        def chain(x, w, precision=precision):
            def product(_, x):
                return jnp.matmul(x, w, precision=precision)

            return jax.lax.fori_loop(0, repeats, product, x)

        x = jax.random.normal(jax.random.key(0), (size, size), dtype)
        w = x * size**-0.5  # Products neither vanish nor grow.
        chain(x, w).block_until_ready()
        seconds = []
        for _ in range(3):
            start = time.monotonic()
            chain(x, w).block_until_ready()
            seconds.append(time.monotonic() - start)
        rates[name] = 2 * size**3 * repeats / min(seconds) / 1e12
    return rates
