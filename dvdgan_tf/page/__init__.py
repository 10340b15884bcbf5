"""The web page of `python -m dvdgan_tf.demo`: what it takes, makes, shows."""
