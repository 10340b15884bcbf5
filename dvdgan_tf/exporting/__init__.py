"""From a module to files that need TensorFlow only, or another runtime."""
