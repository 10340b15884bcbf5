"""From a generator to clips."""
