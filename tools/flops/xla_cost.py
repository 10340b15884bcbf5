"""XLA's count of the products in a compiled program, to check `flops.py`.

XLA's cost analysis counts two FLOP per multiply-add of convolutions and
matrix products, leaving out taps on padding and on the zeros of dilation. The
same rule is applied here to the program's text before XLA optimises it, to
these operations only (the analysis adds all element-wise work), where the
result depends on them: XLA drops the rest. A program's loops count once, so
the check is for programs without them.
"""

import itertools
import math
import re

import tensorflow as tf

# name = type[sizes]{layout} operation(%first, %second), attributes
_INSTRUCTION = re.compile(
    r"  (?P<root>ROOT )?%?(?P<name>[\w.-]+) = "
    r"(\w+\[(?P<sizes>[\d,]*)\]\S* (?P<operation>[\w-]+))?(?P<rest>.*)"
)
_COMPUTATION = re.compile(r"(?P<entry>ENTRY )?%?(?P<name>[\w.-]+) .*{$")
# Resampling lowered to products; `flops.py` takes it as element-wise.
_RESAMPLING = re.compile(r'op_type="Resize')


def of_function(function, *args):
    """FLOP of the products of a `tf.function(jit_compile=True)`.

    Args:
        function: function whose cost is asked for.
        *args: arguments of the function.
    """
    return products(function.experimental_get_compiler_ir(*args)(stage="hlo"))


def of_trainer(trainer, batch):
    """FLOP of an update of D and of one of G, of a trainer on one device.

    Args:
        trainer: a `Trainer`.
        batch: videos and labels of one update. That of G takes them in frame
            prediction.
    """
    step = tf.constant(0, tf.int64)

    @tf.function(jit_compile=True)
    def d_update(batch):
        return trainer.strategy.run(
            trainer.updates.of_discriminators,
            args=(batch, step, tf.constant(0)),
        )

    @tf.function(jit_compile=True)
    def g_update(*batch):
        return trainer.strategy.run(
            trainer.updates.of_generator, args=(step, *batch)
        )

    given = batch if trainer.generator.conditioning_frames else ()
    return of_function(d_update, batch), of_function(g_update, *given)


def products(text):
    """FLOP of the convolutions and dots that an HLO module's result needs.

    Args:
        text: the module.
    """
    instructions, root = _parse(text)
    flop = 0
    for name in _needed(instructions, root):
        operation, out, rest = instructions[name]
        count = {"convolution": _convolution, "dot": _dot}.get(operation)
        if count and not _RESAMPLING.search(rest):
            names = [n for n in _names(rest) if n in instructions]
            left, right = (instructions[n][1] for n in names[:2])
            flop += 2 * count(left, right, out, rest)
    return flop


def _parse(text):
    """Returns {name: (operation, sizes, rest of its line)}, the root's name.

    The name of a computation, by which others call it, stands for its root.
    """
    instructions = {}
    computation = root = None
    entry = False
    for line in text.splitlines():
        if match := _INSTRUCTION.match(line):
            value = match["operation"], _sizes(match["sizes"]), match["rest"]
            instructions[match["name"]] = value
            if match["root"]:
                instructions.setdefault(computation, value)
                root = match["name"] if entry else root
        elif match := _COMPUTATION.match(line):
            computation, entry = match["name"], bool(match["entry"])
    return instructions, root


def _needed(instructions, root):
    """Names of the instructions that the root depends on."""
    needed, waiting = set(), [root]
    while waiting:
        name = waiting.pop()
        if name in instructions and name not in needed:
            needed.add(name)
            waiting += _names(instructions[name][2])
    return needed


def _names(rest):
    """What may be names of instructions in an instruction's line."""
    attributes = rest.split("metadata=")[0]
    return re.findall(r"([\w.-]+)(?![\w.(=\[{-])", attributes)


def _sizes(text):
    return [int(size) for size in (text or "").split(",") if size]


def _dot(left, _, out, rest):
    axes = _sizes(re.search(r"lhs_contracting_dims={([\d,]*)}", rest)[1])
    return math.prod(out) * math.prod(left[axis] for axis in axes)


def _convolution(left, right, out, rest):
    """Multiply-adds on operands that are neither padding nor dilation."""
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", rest)
    inputs, kernels, outputs = (
        dict(zip(names, sizes, strict=True))
        for names, sizes in zip(
            labels.groups(), (left, right, out), strict=True
        )
    )
    macs = outputs["b"] * outputs["f"] * kernels["i"]
    for axis in range(len(left) - 2):
        window = {
            key: _window(rest, key, axis, default)
            for key, default in (
                ("stride", "1"),
                ("pad", "0_0"),
                ("lhs_dilate", "1"),
                ("rhs_dilate", "1"),
            )
        }
        axis = str(axis)
        macs *= _pairs(inputs[axis], kernels[axis], outputs[axis], **window)
    return macs


def _window(rest, key, axis, default):
    """The first number of an entry such as `pad=1_1x0_1` for one axis."""
    found = re.search(rf"[{{ ]{key}=([\d_x-]+)", rest)
    entry = found[1].split("x")[axis] if found else default
    return int(entry.split("_")[0])


def _pairs(size, kernel, out, stride, pad, lhs_dilate, rhs_dilate):
    """Pairs of output and tap, along one axis, that meet an input."""
    positions = (
        o * stride + tap * rhs_dilate - pad
        for o, tap in itertools.product(range(out), range(kernel))
    )
    return sum(
        0 <= p < (size - 1) * lhs_dilate + 1 and p % lhs_dilate == 0
        for p in positions
    )
