"""The import contracts of pyproject.toml hold, and each of them bites."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.source import ENGINE, ROOT, modules

# Where the import name isn't the distribution's, or comes with one, pinned by it.
DISTRIBUTION_OF = {"argon2": "argon2-cffi", "pydantic_core": "pydantic", "yaml": "pyyaml"}

# One file per contract that breaks it (a cycle takes two).
BREACHES = {
    "engine/newcomer.py": "",
    "engine/errors_breach.py": "",
    "engine/core/newcomer.py": "",
    "engine/core/message.py": "import engine.core.steps\nimport engine.clock\n",
    "engine/core/expressions/impure.py": "import random\n",
    "engine/users/breach.py": "import httptools\nimport sqlalchemy\n",
    "engine/users/one.py": "import engine.users.two\n",
    "engine/users/two.py": "import engine.users.one\n",
}


def test_the_import_contracts_hold() -> None:
    result = _lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_import_contract_can_be_broken(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ENGINE, tmp_path / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in BREACHES.items():
        (tmp_path / name).write_text(text)
    result = _lint(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = set(re.findall(r"^(.*) BROKEN", result.stdout, re.MULTILINE))
    assert broken == {contract["name"] for contract in _contracts()}


def _contracts() -> list[dict[str, str]]:
    contracts: list[dict[str, str]] = _pyproject()["tool"]["importlinter"]["contracts"]
    return contracts


def _lint(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_step_types_do_not_know_each_other() -> None:
    steps = [m for m in modules() if m.path.startswith("engine/core/steps/")]
    types = {
        m.path.removesuffix(".py").replace("/", "."): m
        for m in steps
        if any(
            isinstance(node, ast.ClassDef)
            and any(ast.unparse(base) == "StepModel" for base in node.bases)
            for node in m.tree.body
        )
    }
    known = [
        f"{path} imports {imported}"
        for path, module in types.items()
        for imported in _imports(module.tree)
        if imported in types or imported.rpartition(".")[0] in types
    ]
    assert not known, "what two step types share goes to a module of its own"


def test_every_library_the_engine_imports_is_declared() -> None:
    project = _pyproject()["project"]
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in [
            *project["dependencies"],
            *project["optional-dependencies"]["postgres"],
            *project["optional-dependencies"]["testing"],
        ]
    }
    undeclared = {
        f"{module.path}: {top}"
        for module in modules()
        for top in {name.partition(".")[0] for name in _imports(module.tree)}
        if top not in sys.stdlib_module_names | {"engine"}
        and canonicalize_name(DISTRIBUTION_OF.get(top, top)) not in declared
    }
    assert not undeclared, "add it to pyproject.toml and run scripts/lock"


def _imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_only_who_makes_a_database_loads_the_tables_models() -> None:
    """A fifth of a second, and 13 MB."""
    for name in ("engine.processes.daemon", "engine.cli.live_run", "engine.api.server"):
        loaded = f"import sys, {name}; sys.exit('sqlmodel' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, check=False).returncode == 0
