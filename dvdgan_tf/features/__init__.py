"""The networks whose activations are measured."""
