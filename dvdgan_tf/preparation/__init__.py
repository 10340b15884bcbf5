"""TFDS builders: from folders of video files to sharded JPEG frames."""
