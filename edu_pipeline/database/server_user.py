"""The operating-system user that the private server runs as, and its files.

Belongs here: doing things as that user, and making files that belong to it. PostgreSQL refuses to run as root: where
root starts it, another user owns its files, and root must not follow a link which that user may have laid there. Does
not belong here: what the files and commands are (``cluster.py``).
"""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edu_pipeline.errors import ClusterFailed


@dataclass(frozen=True)
class ServerUser:
    """The user that the server runs as.

    Attributes:
        account: None: whoever runs this process, who is not root.
    """

    account: pwd.struct_passwd | None

    @property
    def name(self) -> str:
        """For messages."""
        return self.account.pw_name if self.account else "this user"

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command as this user; of our variables it gets PATH alone, lest PGDATA or PGPORT interfere.

        Raises:
            OSError: it cannot be run.
        """
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may enter a folder; whoever runs this process may enter its own."""
        return self.account is None or self.run("/bin/sh", "-c", 'cd "$0"', folder).returncode == 0

    def write(self, mode: Literal[">", ">>"], path: Path, text: str) -> None:
        """Write to a file as this user.

        Raises:
            OSError: it cannot be written.
        """
        outcome = self.run("/bin/sh", "-c", f'printf %s "$1" {mode} "$0"', path, text)
        if outcome.returncode:
            raise OSError(f"{path} cannot be written: {outcome.stderr}")

    def make_file(self, path: Path) -> None:
        """Make a file of this user's with mode 0600, or check that it is one.

        Raises:
            OSError: it cannot be made, or belongs to another user.
        """
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        self._take(path)

    def make_folder(self, path: Path) -> None:
        """Make a folder of this user's with mode 0700, or check that it is one.

        Raises:
            OSError: it cannot be made, or belongs to another user.
        """
        path.mkdir(mode=0o700, exist_ok=True)
        self._take(path)

    def _take(self, path: Path) -> None:
        uid = self.account.pw_uid if self.account else os.geteuid()
        status = path.lstat()
        if self.account and status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode):
            os.chown(path, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)
            status = path.lstat()
        if status.st_uid != uid or stat.S_ISLNK(status.st_mode):
            kind = "a link" if stat.S_ISLNK(status.st_mode) else "a file or folder"
            raise PermissionError(f"expected {path} to belong to user {uid}, found {kind} of user {status.st_uid}")


THIS_USER = ServerUser(None)
"""Whoever runs this process."""


def server_user(data: Path) -> ServerUser:
    """The user that owns the data folder, else an unprivileged one; whoever runs this process, if that is not root.

    Raises:
        ClusterFailed: root runs this, and there is no other user.
    """
    if os.geteuid() != 0:
        return THIS_USER
    with suppress(OSError, KeyError):
        if owner := data.stat().st_uid:
            return ServerUser(pwd.getpwuid(owner))
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return ServerUser(pwd.getpwnam(name))
    raise ClusterFailed(
        str(data),
        "expected a user postgres or nobody, since PostgreSQL does not run as root, found neither.",
        "Create one (`adduser --system postgres`), or run this as an ordinary user.",
    )
