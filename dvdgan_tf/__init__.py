"""DVD-GAN (Clark, Donahue, Simonyan, arXiv 1907.06571 v2) in TensorFlow 2."""

__version__ = "0.1.0"
