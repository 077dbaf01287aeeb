"""The project's own files, as the house tests read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine"
DOCS = ENGINE / "docs"

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One Python file of the engine; ``path`` is relative to the project, with slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it but a docstring."""
        body = self.tree.body
        return not body or (len(body) == 1 and ast.get_docstring(self.tree) is not None)

    def definitions(self) -> Iterator[tuple[str, Definition]]:
        """Every function, method and class with its dotted name, those inside functions too."""
        yield from _definitions(self.tree, "")


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield prefix + child.name, child
            yield from _definitions(child, f"{prefix}{child.name}.")
        else:
            yield from _definitions(child, prefix)


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file under engine/, in order of path."""
    return tuple(
        Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text))
        for path in sorted(ENGINE.rglob("*.py"))
        for text in [path.read_text(encoding="utf-8")]
    )


@cache
def project_files() -> tuple[str, ...]:
    """Every tracked file, relative to the project; without git, the files of the main folders."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
    folders = ("engine", "journeys", "scripts", "tests")
    return tuple(
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    )
