"""Small datasets on disk in the format of TensorFlow Datasets."""

import struct

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


def encode(video, kind="jpeg"):
    """Encoded frames of a uint8 [T, H, W, C] video."""
    if kind == "png":
        return [tf.io.encode_png(frame).numpy() for frame in video]
    return [
        tf.io.encode_jpeg(frame, quality=100, chroma_downsampling=False).numpy()
        for frame in video
    ]


def numbered(frames, height=32, width=40, channels=3):
    """Frame t is of one grey, 8 t, but for the first channel: 6 x column."""
    video = np.zeros([frames, height, width, channels], np.uint8)
    video[:] = (8 * np.arange(frames, dtype=np.uint8)).reshape(-1, 1, 1, 1)
    if channels == 3:
        video[..., 0] = 6 * np.arange(width, dtype=np.uint8)
    return video


def features(names=("jump", "walk")):
    """The features of this project's own datasets."""
    return tfds.features.FeaturesDict(
        {
            "video": tfds.features.Video(
                shape=(None, None, None, 3), encoding_format="jpeg"
            ),
            "label": tfds.features.ClassLabel(names=list(names)),
            "name": tfds.features.Text(),
            "fps": np.float32,
            "duration": np.float32,
            "start": np.int32,
        }
    )


def clip(encoded, label):
    """An example of `features`."""
    return {
        "video": encoded,
        "label": label,
        "name": "walk/ünï ✓.mp4",
        "fps": 25.0,
        "duration": len(encoded) / 25,
        "start": 0,
    }


def write(root, name, features, **splits):
    """Writes a dataset; a split is a list of shards, these of examples."""
    folder = root / name / "1.0.0"
    folder.mkdir(parents=True)
    dataset = name.split("/")[0]
    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name=dataset, filetype_suffix="tfrecord"
    )
    infos = []
    for split, shards in splits.items():
        info = tfds.core.SplitInfo(
            name=split,
            shard_lengths=[len(shard) for shard in shards],
            num_bytes=0,
            filename_template=template,
        )
        infos.append(info)
        for path, shard in zip(info.filepaths, shards, strict=True):
            with tf.io.TFRecordWriter(str(path)) as writer:
                for example in shard:
                    encoded = features.encode_example(example)
                    writer.write(features.serialize_example(encoded))
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=infos,
        filename_template=template,
        check_data=False,
    )
    return folder


def record_header(length):
    """The header of a record of any length, with the right checksum."""
    data = struct.pack("<Q", length)
    # CRC-32C, polynomial 0x1EDC6F41, bits reversed.
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    check = rest ^ 0xFFFFFFFF
    # Masked as TensorFlow's record_writer.h says.
    masked = ((check >> 15 | check << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return data + struct.pack("<I", masked)
