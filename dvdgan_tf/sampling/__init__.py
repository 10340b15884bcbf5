"""From a module or a run to clips: loading, sampling, files."""
