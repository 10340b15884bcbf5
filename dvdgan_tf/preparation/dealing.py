"""Which clips share a shard, so that one clip more changes few shards."""

import hashlib
from collections.abc import Iterable

from dvdgan_tf.preparation.listing import Clip

# 2^5 shards, if there are clips for so many: a small collection, too, is work
# for several processes, and one shard of it is not much to make again.
_LEAST_BITS = 5
_BITS = 256


def deal(clips: Iterable[Clip], most: int) -> list[list[Clip]]:
    """Deals the clips of a split to shards.

    Clips whose hashed names begin with the same 5 bits share a shard, and one
    of more than `most` clips is halved by the next bit until none is left. So
    a clip that comes or goes changes one shard, or two where one is halved
    or two become one again, however many there are. Classes mix by chance.

    Args:
        clips: clips whose names differ.
        most: clips in a shard, at most.

    Returns:
        Lists of clips, none of them empty, in an order that depends on the
        names alone.
    """
    numbered = sorted((_hash(clip.name), clip.name, clip) for clip in clips)
    return [[clip for *_, clip in shard] for shard in _halves(numbered, most)]


def _halves(clips, most, bits=0):
    if not clips:
        return []
    if bits == _BITS or (bits >= _LEAST_BITS and len(clips) <= most):
        return [clips]
    mask = 1 << (_BITS - 1 - bits)
    halves = (
        [clip for clip in clips if bool(clip[0] & mask) == half]
        for half in (False, True)
    )
    return [shard for half in halves for shard in _halves(half, most, bits + 1)]


def _hash(name):
    data = name.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(data).digest(), "big")
