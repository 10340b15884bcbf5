"""TFDS builders: from collections of clips to sharded JPEG frames.

A source is found (`sources`) and listed by the first of the `layouts` that it
has; its clips are dealt to shards (`dealing`), which processes make (`shards`,
`processes`) and the builder collects into a dataset (`builder`).

| a source | its classes and splits |
| --- | --- |
| `class/clip.mp4` | the folders are the classes; one split, train |
| `split/class/clip.mp4` | folders named train, val, test (training, valid, validate, validation, testing); folders without clips beside them are left out |
| files in one folder | one class, `all` |
| folders of `.jpg` or `.png` frames (StyleGAN-V) | a clip is a folder, its frames in the natural order of their names; labels from `dataset.json`, or else the folder above as for files |
| UCF-101 | `Class/v_*.avi` and `trainlist01.txt`, `testlist01.txt` in one source; 02 and 03 by `split_list` |
| HMDB-51 | `class/*.avi` and `class_test_split1.txt` (1 is train, 2 is test) in one source; 2 and 3 by `split_list` |
| Something-Something v2 | `id.webm` and `train.json`, `validation.json` (also `something-something-v2-train.json`) in one source; the class is the template |
| Kinetics | `id_start_end.mp4` and `train.csv`, `val.csv`, `test.csv` in one source; clips of a `test.csv` without labels are left out |
| Moving MNIST | a `.npy` file of uint8 [frames, clips, height, width]; one class |
| a `.csv` file | columns `path`, `label` and, optionally, `split` |
| a `.txt` list | a path a line, relative to the list and not outside of its folder, perhaps with a label after a space or tab; without one, the file's folder in the line |
| a video file | one clip |
| anything else | `label_pattern` |
"""  # noqa: E501, the table's lines
