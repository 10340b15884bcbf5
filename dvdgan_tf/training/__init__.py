"""The training loop: one step, when to log and save, losses."""
