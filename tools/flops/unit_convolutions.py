"""The 3x3 convolutions in one step of each recurrent unit, for flops.py."""

import dataclasses

from dvdgan_tf.layers.recurrent import ConvGRU
from dvdgan_tf.layers.tsru import TSRUc, TSRUp, TSRUs, flow_width


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """(C_in, C_out) of the convolutions of one step.

    Attributes:
        kernels: of each weight that is normalised.
        drawn: as the equations have them, those of the same input as one.
        inputs: those of x, as one.
        states: those of h and of what is made of it: left out where h = 0.
        always: the others.
    """

    kernels: list
    drawn: list
    inputs: tuple
    states: list
    always: list = dataclasses.field(default_factory=list)


def of_unit(unit, width):
    """The `Convolutions` of a unit whose state has `width` channels."""
    w, flow = width, flow_width(width)
    theta = (flow, 2)
    gate = (2 * w, w)
    if isinstance(unit, ConvGRU):
        return Convolutions(
            kernels=[gate, gate, gate],
            drawn=[(2 * w, 2 * w), gate],
            inputs=(w, 3 * w),
            states=[(w, 2 * w), (w, w)],
        )
    kernels = [(2 * w, flow), theta, gate, gate]
    if isinstance(unit, TSRUc):
        return Convolutions(
            kernels,
            drawn=[(2 * w, flow + w), theta, gate],
            inputs=(w, flow + 2 * w),
            states=[(w, flow + w), theta, (w, w)],
        )
    if isinstance(unit, TSRUp):
        return Convolutions(
            kernels,
            drawn=[(2 * w, flow + 2 * w), theta],
            inputs=(w, flow + 2 * w),
            states=[(w, flow + 2 * w), theta],
        )
    if isinstance(unit, TSRUs):
        return Convolutions(
            kernels,
            drawn=kernels,
            inputs=(w, flow + w),
            states=[(w, flow), theta, (w, 2 * w)],
            always=[(w, w)],
        )
    raise ValueError(
        "Generator.recurrent_unit must be ConvGRU, TSRUc, TSRUp or TSRUs to "
        f"be counted. Received: {type(unit).__name__}"
    )
