"""Video files, pixels and pictures: in and out, without TensorFlow."""
