"""How many classes the networks have that gin describes."""

import gin


def number(of_dataset):
    """As `dvdgan_tf.train` would have it.

    Args:
        of_dataset: the dataset's classes, for a configuration that leaves the
            number to the data.
    """
    train = gin.get_bindings("train")
    if not train.get("class_conditional", True):
        return 1
    return train.get("num_classes") or of_dataset
