"""A root that runs as compose.yaml has it: read-only, one volume, a user without rights, alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from tests.image.building import OUTSIDE
from tests.image.dockerfile import Stage

DEVICES = ("null", "zero", "full", "random", "urandom")
# Of a root ($1) and a folder for its volume ($2), mounted at $3. The rest is what runs in it.
ENTER = f"""
root=$1 data=$2 volume=$3; shift 3
mount --bind "$root" "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in {" ".join(DEVICES)}; do
    touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$data" "$root$volume"
mount -t proc proc "$root/proc"
mount -o remount,ro,bind "$root"
ip link set lo up
cd "$root"
exec chroot "$root" "$@"
"""
UNPRIVILEGED = (
    *("setpriv", "--clear-groups", "--no-new-privs"),
    *("--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"),
)


class Container:
    """One that runs, in namespaces of its own for mounts, processes and the network."""

    def __init__(self, stage: Stage, root: Path, data: Path, given: Mapping[str, str]) -> None:
        self._stage = stage
        base = {"PATH": f"/{OUTSIDE}"}
        image = {k: Template(v).substitute(base) for k, v in stage.environment.items()}
        self._environment = {**base, **image, **given}
        uid, _, gid = stage.last("USER").partition(":")
        os.chown(data, int(uid), int(gid))
        self._user = [*UNPRIVILEGED, f"--reuid={uid}", f"--regid={gid}"]
        started = json.loads(stage.last("ENTRYPOINT")) + json.loads(stage.last("CMD"))
        alone = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        enter = ["sh", "-euc", ENTER, "sh", root, data, stage.last("VOLUME")]
        self.process = subprocess.Popen(
            [*alone, *enter, *self._user, "--", *started], env=self._environment
        )
        self._pid = self._first()

    def run(
        self, command: Sequence[str], script: str = "", *, outlives: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as the container's user; ``script`` is its input.

        Args:
            command: and its arguments.
            script: what it reads.
            outlives: whether it goes on once the container's first process has ended.
        """
        spaces = ["--mount", "--net"] if outlives else ["--mount", "--net", "--pid"]
        inside = ["nsenter", f"--target={self._pid}", *spaces]
        inside += [f"--root=/proc/{self._pid}/root", "--wd=/"]
        return subprocess.run(
            [*inside, *self._user, "--", *command],
            env=self._environment,
            input=script,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def is_healthy(self) -> bool:
        """Run the image's health check."""
        _, _, command = self._stage.last("HEALTHCHECK").partition("CMD ")
        return self.run(json.loads(command)).returncode == 0

    def wait_until_healthy(self, seconds: float) -> float:
        """Return after how many seconds it was. Raises TimeoutError."""
        started = time.monotonic()
        while not self.is_healthy():
            if self.process.poll() is not None or time.monotonic() - started > seconds:
                raise TimeoutError(f"not healthy, status {self.process.returncode}")
            time.sleep(0.1)
        return time.monotonic() - started

    def stop(self, seconds: float) -> tuple[float, int]:
        """Ask it to end, as an engine does; return after how many seconds it did, and its status.

        Raises:
            subprocess.TimeoutExpired: it did not, and was killed.
        """
        started = time.monotonic()
        os.kill(self._pid, getattr(signal, self._stage.last("STOPSIGNAL")))
        try:
            status = self.process.wait(seconds)
        finally:
            self.end()
        return time.monotonic() - started, status

    def end(self) -> None:
        """Kill what still runs of it."""
        # Changing the user clears the signal that would end it with its parent; as the first
        # process of its space it takes all others there with it.
        if self.process.poll() is None:
            os.kill(self._pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def _first(self) -> int:
        """Return the process that is the first one inside, once it is there."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for _ in range(500):
            if found := children.read_text().split():
                return int(found[0])
            time.sleep(0.01)
        raise TimeoutError("nothing was started")
