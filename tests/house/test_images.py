"""Each image holds what its service imports, and nothing of the other's."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import grimp
import pytest

from tests.databases import ROOT

SERVICES = {"dispatcher": "dispatcher", "worker": "palette_worker"}
"""By the image that it is in."""

NEVER_IMPORTED = {
    "alembic": "runs the migrations",
    "flask-swagger-ui": "its files are served, its code is not run",
    "gunicorn": "serves",
    "psycopg": "named by DATABASE_URL",
}
OURS = {"colorway", "dispatcher", "palette_worker", "migrations"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = [
    line
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line and line[0] not in "!#*"
]


def copied_into(image):
    """Return what the image's last stage copies of the project: files and folders."""
    stage = re.search(rf"^FROM \S+ AS {image}\n(.*?)(?=^FROM|\Z)", DOCKERFILE, flags=re.M | re.S)[1]
    return {source.rstrip("/") for source in re.findall(r"^COPY ([^-\s]\S*)", stage, flags=re.M)}


@cache
def modules_of(service):
    """Return the modules that a process of this service can come to load, as files."""
    graph = grimp.build_graph("colorway", "dispatcher", "palette_worker")
    reached = graph.find_upstream_modules(service, as_package=True) | {
        service,
        *graph.find_descendants(service),
    }
    parents = {module.rsplit(".", level)[0] for module in reached for level in range(1, 4)}
    return sorted(file_of(module) for module in reached | parents)


def file_of(module):
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports_in(file: Path) -> Iterator[str]:
    """Return every module that is imported there when it runs, by its whole name."""
    waiting: list[ast.AST] = [ast.parse(file.read_text())]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                continue
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield from (f"{module}.{alias.name}" for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def third_party(service):
    """Return the distributions that the service's modules, and what lies beside them, import."""
    beside = sorted((ROOT / "migrations").rglob("*.py")) if service == "dispatcher" else []
    names = {name for file in (*modules_of(service), *beside) for name in imports_in(file)}
    foreign = {
        name for name in names if name.partition(".")[0] not in OURS | sys.stdlib_module_names
    }
    return {distribution_of(name) for name in foreign}


all_distributions = cache(packages_distributions)


@cache
def distribution_of(name):
    top = name.partition(".")[0]
    owners = all_distributions()[top]
    if len(set(owners)) == 1:
        return canonical(owners[0])
    parts = name.split(".")
    for end in range(len(parts), 1, -1):
        wanted = ("/".join(parts[:end]) + ".py", "/".join(parts[:end]) + "/__init__.py")
        for owner in owners:
            if any(str(file) in wanted for file in distribution(owner).files or ()):
                return canonical(owner)
    raise AssertionError(f"who brings {name}?")


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def wished(service):
    """Return what its requirements.in asks for, and that of colorway."""
    lines = [
        line
        for folder in ("colorway", service)
        for line in (ROOT / folder / "requirements.in").read_text().splitlines()
    ]
    return {line.partition("[")[0] for line in lines if line[:1] not in ("", "#", "-")}


def locked(service):
    return set(
        re.findall(r"^([a-z0-9-]+)", (ROOT / service / "requirements.txt").read_text(), re.M)
    )


@pytest.mark.parametrize(("image", "service"), SERVICES.items())
def test_an_image_holds_the_packages_that_its_service_imports(image, service):
    packages = {file.relative_to(ROOT).parts[0] for file in modules_of(service)}

    migrations = {"alembic.ini", "migrations"} if service == "dispatcher" else set()
    assert copied_into(image) == packages | migrations


@pytest.mark.parametrize("service", SERVICES.values())
def test_nothing_that_a_service_imports_is_kept_out_of_its_image(service):
    files = [str(file.relative_to(ROOT)) for file in modules_of(service)]

    assert [file for file in files if any(fnmatch(file, f"{one}*") for one in IGNORED)] == []


@pytest.mark.parametrize("service", SERVICES.values())
def test_all_that_a_service_imports_is_installed_in_its_image(service):
    assert third_party(service) - locked(service) == set()


@pytest.mark.parametrize("service", SERVICES.values())
def test_an_image_asks_for_nothing_that_its_service_does_not_import(service):
    assert wished(service) - third_party(service) - set(NEVER_IMPORTED) == set()


def test_the_dispatcher_has_nothing_that_opens_pictures():
    assert locked("dispatcher") & {"numpy", "pillow", "isal", "scipy"} == set()


def test_the_worker_has_no_queue_and_no_commands_but_its_doctor():
    assert locked("palette_worker") & {"google-cloud-tasks", "grpcio", "typer"} == set()


def test_what_images_ask_for_the_project_asks_for():
    project = (ROOT / "requirements.in").read_text().splitlines()

    names = {line.partition("[")[0] for line in project}
    assert {name for service in SERVICES.values() for name in wished(service)} - names == set()
