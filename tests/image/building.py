"""Carries out the steps of a Dockerfile's stages, each stage in a copy of its base."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from string import Template

from tests.image.base import Unable
from tests.image.dockerfile import ROOT, Instruction, Stage

WITHOUT_EFFECT = frozenset(
    ("CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "STOPSIGNAL", "USER", "VOLUME")
)
OUTSIDE = "usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
ENTER = 'mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; exec chroot "$0" "$@"'
LEFT = shutil.ignore_patterns("__pycache__", "*.so", "*.so.tmp")  # as .dockerignore has it


class Build:
    """The roots that were made, by the names of their stages."""

    def __init__(self, base: Path, place: Path) -> None:
        self._base, self._place = base, place
        self._log = place / "steps.log"  # what the steps said
        self._made: dict[str, Path] = {}

    def make(self, stage: Stage) -> Path:
        """Carry out a stage's steps; return its root."""
        root = self._place / (stage.name or "final")
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "--archive", self._base, root], check=True)
        environment = {"PATH": f"/{OUTSIDE}", "HOME": "/root"}
        folder = Path("/")
        for step in stage.steps:
            if step.name == "RUN":
                self._run(root, step.arguments, environment, folder)
            elif step.name == "COPY":
                self._copy(root, step, folder)
            elif step.name == "ENV":
                for word in shlex.split(step.arguments):
                    name, _, value = word.partition("=")
                    environment[name] = Template(value).substitute(environment)
            elif step.name == "WORKDIR":
                folder = folder / step.arguments
                (root / folder.relative_to("/")).mkdir(parents=True, exist_ok=True)
            elif step.name not in WITHOUT_EFFECT:
                raise NotImplementedError(f"{step.name} {step.arguments}")
        self._made[stage.name] = root
        return root

    def _copy(self, root: Path, step: Instruction, folder: Path) -> None:
        words = shlex.split(step.arguments)
        source = ROOT
        if words[0].startswith("--from="):
            source = self._made[words.pop(0).removeprefix("--from=")]
        *names, target = words
        to = root / (folder / target).relative_to("/")
        for name in names:
            item = source / name.lstrip("/")
            if item.is_dir():
                left = LEFT if source == ROOT else None
                shutil.copytree(item, to, symlinks=True, dirs_exist_ok=True, ignore=left)
            else:
                into = to / item.name if target.endswith("/") else to
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(item, into)

    def _run(self, root: Path, text: str, environment: Mapping[str, str], folder: Path) -> None:
        """Run a step as RUN does, with this machine's way to its package index."""
        shutil.copy2("/etc/resolv.conf", root / "etc/resolv.conf")
        reach = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        inside = f"cd {shlex.quote(str(folder))} && {text}"
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", ENTER]
        with self._log.open("a") as log:
            log.write(f"RUN {text}\n")
            log.flush()
            done = subprocess.run(
                [*command, root, "/bin/sh", "-ec", inside],
                env={**reach, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            raise Unable(f"RUN {text}: status {done.returncode}, see {self._log}")
