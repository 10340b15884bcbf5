import csv
import glob
import os
import re
import shutil
import signal
import time

import forked
import pytest
import tensorflow as tf
import videos


def arguments(source, data_dir, *flags):
    return [
        "dvdgan_tf.prepare",
        f"--source={source}",
        f"--data_dir={data_dir}",
        "--short_side=32",
        "--num_workers=1",
        "--clips_per_shard=1",
        *flags,
    ]


def run(*args):
    return forked.run(forked.module, *arguments(*args))


def records(data_dir):
    pattern = f"{data_dir}/video_folder/1.0.0/*.tfrecord-*"
    return [
        record.numpy()
        for path in sorted(glob.glob(pattern))
        for record in tf.data.TFRecordDataset(path)
    ]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    videos.tree(folder, clips=4)
    (folder / "run" / "text.mp4").write_text("no video")
    (folder / "walk" / "._0.mp4").write_bytes(b"x")
    return folder


@pytest.fixture(scope="module")
def undisturbed(source, tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    return data_dir, run(source, data_dir)


def test_table_paths_and_skipped_files(undisturbed):
    data_dir, result = undisturbed
    assert result.returncode == 0, result.stderr
    table = dict(
        re.fullmatch(r"(.*\S)\s+([\d.,]+)", line).groups()
        for line in result.stdout.splitlines()[2:-2]
    )
    assert table["files found"] == "10"
    assert table["files read"] == "9"
    assert table["files written"] == "8"
    assert table["files skipped"] == "2"
    assert table["  hidden file"] == "1"
    assert table["frames"] == "60"
    assert table["classes"] == "2"
    assert float(table["MB"]) > 0.0
    assert "9/9" in result.stderr  # the bar
    dataset = f"{data_dir}/video_folder/1.0.0"
    assert result.stdout.splitlines()[-1] == f"Dataset: {dataset}"
    with open(f"{dataset}/skipped.csv", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"run/text.mp4", "walk/._0.mp4"}
    assert all(row["reason"] for row in rows.values())
    assert os.listdir(data_dir) == ["video_folder"]
    assert len(records(data_dir)) == 8


def test_killed_half_way_and_run_again(source, undisturbed, tmp_path):
    process = forked.Process(forked.module, *arguments(source, tmp_path))
    deadline = time.time() + 120
    while not glob.glob(f"{tmp_path}/video_folder.work/*.json"):
        assert process.poll() is None and time.time() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {
        path: os.stat(path).st_mtime_ns
        for path in glob.glob(f"{tmp_path}/video_folder.work/*.tfrecord")
    }
    assert not records(tmp_path)
    result = run(source, tmp_path)
    assert result.returncode == 0, result.stderr
    assert records(tmp_path) == records(undisturbed[0])
    assert os.listdir(tmp_path / "video_folder") == ["1.0.0"]
    links = {
        os.stat(path).st_mtime_ns
        for path in glob.glob(f"{tmp_path}/video_folder/1.0.0/*.tfrecord-*")
    }
    # What was finished has not been made again.
    assert finished
    assert len(links & set(finished.values())) >= len(finished) - 1


def test_a_dataset_that_is_there_is_not_touched(source, undisturbed):
    data_dir, _ = undisturbed
    before = records(data_dir)
    result = run(source, data_dir, "--quality=50")
    assert result.returncode == 2
    assert "and it is whole; choose" in result.stderr
    # What is left where the command was killed while it tidied up.
    left = [data_dir / "video_folder.work"]
    left.append(data_dir / "video_folder" / "incomplete.ABC_1.0.0")
    for folder in left:
        folder.mkdir()
    result = run(source, data_dir)
    assert result.returncode == 2
    assert "whole, but had to be tidied up" in result.stderr
    assert not any(folder.exists() for folder in left)
    assert records(data_dir) == before


def test_the_same_command_makes_a_damaged_shard_again(
    source, undisturbed, tmp_path
):
    shutil.copytree(undisturbed[0], tmp_path, dirs_exist_ok=True)
    pattern = f"{tmp_path}/video_folder/1.0.0/*.tfrecord-*"
    path = sorted(glob.glob(pattern))[2]
    os.truncate(path, os.stat(path).st_size - 9)
    result = run(source, tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"Damaged or missing: {path}" in result.stdout
    assert "Made 1 shards again" in result.stdout
    assert records(tmp_path) == records(undisturbed[0])
    assert os.listdir(tmp_path) == ["video_folder"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--short_side=3"], "short_side=3"),
        (["--source=/nowhere"], "'/nowhere'"),
        (["--data_dir=/proc/nowhere"], "Cannot write"),
    ],
)
def test_errors_are_one_sentence(source, tmp_path, flags, message):
    result = run(source, tmp_path, *flags)
    assert result.returncode == 2
    *shown, line = result.stderr.splitlines()
    # At most the bar.
    assert not shown or "0/9" in shown[0]
    assert line.startswith("error: ") and message in line
    assert "Traceback" not in result.stderr
