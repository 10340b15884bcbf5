"""Which files are in a folder of clips, through links, without circles."""

import errno
import os

# Links that lead to one folder on several ways multiply what there is.
_MAX_FOLDERS = 1_000_000

# What is wrong with a folder, and not with this machine.
_FOLDERS_FAULTS = {
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR),
    *(errno.ELOOP, errno.ENAMETOOLONG),
}


def files(source: str | os.PathLike) -> tuple[list, list]:
    """Finds all files in a folder and in its folders.

    Links are followed, also several to one folder, but not in circles.

    Args:
        source: folder.

    Returns:
        The files' paths relative to `source`, with "/", sorted; and a list of
        (path, reason) of the folders left out.

    Raises:
        FileNotFoundError: there is no such folder.
        OSError: the folder itself may not be read, or the drive fails.
        ValueError: there are too many folders.
    """
    if not os.path.isdir(source):
        raise FileNotFoundError(
            f"There is no folder {source!r}; it is expected to hold the video "
            "files."
        )
    source = os.fspath(source)
    names, skipped, visited = [], [], 0
    # Folders to visit: path, the same relative to the source, and the real
    # paths of the folder and of those that it is in. No recursion, for which
    # some trees are too deep.
    waiting: list[tuple[str, str, tuple[str, ...]]] = [
        (source, "", (os.path.realpath(source),))
    ]
    while waiting:
        folder, prefix, parents = waiting.pop()
        visited += 1
        if visited > _MAX_FOLDERS:
            raise ValueError(
                f"{source!r} has more than {_MAX_FOLDERS:,} folders, links "
                "followed; name the folders with the clips themselves."
            )
        try:
            with os.scandir(folder) as found:
                entries = sorted(
                    (entry.name, _is_folder(entry), entry.is_symlink())
                    for entry in found
                )
        except OSError as error:
            # Whatever else fails is this machine's trouble, not the folder's.
            if folder == source or error.errno not in _FOLDERS_FAULTS:
                raise
            reason = f"a folder that cannot be read ({error.strerror})"
            skipped.append((prefix.rstrip("/"), reason))
            continue
        for name, is_folder, is_link in entries:
            if not is_folder:
                names.append(prefix + name)
                continue
            path = os.path.join(folder, name)
            # `realpath` looks at every folder above, which are many in deep
            # trees.
            real = (
                os.path.realpath(path)
                if is_link
                else os.path.join(parents[-1], name)
            )
            if name.startswith("."):
                skipped.append((prefix + name, "hidden folder"))
            elif real in parents:
                reason = "a link back to a folder that it is in"
                skipped.append((prefix + name, reason))
            else:
                waiting.append((path, f"{prefix}{name}/", (*parents, real)))
    return sorted(names), skipped


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:
        return False
