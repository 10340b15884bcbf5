"""From a run to a module that needs TensorFlow only: export, archive."""
