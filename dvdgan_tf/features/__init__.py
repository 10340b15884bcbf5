"""The pretrained networks whose outputs the metrics compare."""
