import sys

import pytest
import tensorflow as tf

from dvdgan_tf.metrics.tfgan import import_tensorflow_gan


def stand_ins():
    fake = "tensorflow_gan.python.estimator" in sys.modules
    return hasattr(tf, "estimator") or fake


def test_the_stand_ins_are_gone_after_the_import():
    tfgan = import_tensorflow_gan()
    assert callable(tfgan.eval.classifier_score_from_logits)
    assert not stand_ins()
    assert import_tensorflow_gan() is tfgan


def test_a_failed_import_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_gan", None)
    with pytest.raises(ImportError, match="pip install tensorflow-gan"):
        import_tensorflow_gan()
    assert not stand_ins()
