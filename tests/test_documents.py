"""What README, docs/ and docstrings name is there: files, modules, functions of the library and of the C kernels."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("edgeloop", "flows", "tests", "benchmarks", "scripts", "docs")
# In backticks: a path of this repository, the name of a Python file, a module, a call.
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+?)/?`")
PYTHON_FILE = re.compile(r"`([\w/]+\.py)`")
MODULE = re.compile(r"`((?:edgeloop|flows)(?:\.\w+)+)`")
CALL = re.compile(r"`(?:\w+\.)*(\w+)\([^`]*\)`")
KERNEL = re.compile(r"\bedgeloop_[a-z_]+\b")


@cache
def files() -> list[Path]:
    """All that is looked through; read by the tests of this file and not where they are only collected."""
    return [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]


@cache
def places() -> set[str]:
    """Files and folders, from the top of the repository."""
    return {place.relative_to(ROOT).as_posix() for path in files() for place in (path, *path.parents) if place.is_relative_to(ROOT)}


def documents() -> Iterator[tuple[str, str]]:
    """Every page and every docstring, with the name of its file."""
    for page in [ROOT / "README.md", *(path for path in files() if path.suffix == ".md")]:
        yield page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8")
    for path in (path for path in files() if path.suffix == ".py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
                yield path.relative_to(ROOT).as_posix(), text


@cache
def all_documents() -> list[tuple[str, str]]:
    return list(documents())


@cache
def words_of_code() -> set[str]:
    """All words of the code, those of docstrings and comments left out."""
    found: set[str] = set()
    for path in (path for path in files() if path.suffix in (".py", ".c", ".h", ".jinja", ".yaml")):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            text = re.sub(r'"""[\s\S]*?"""|#.*', "", text)
        elif path.suffix in (".c", ".h"):
            text = re.sub(r"/\*[\s\S]*?\*/", "", text)
        found |= set(re.findall(r"\w+", text))
    return found


def is_module(name: str) -> bool:
    """A module, or a name within one."""
    path = ROOT.joinpath(*name.split("."))
    inner = path.parent.with_suffix(".py").is_file() or (path.parent / "__init__.py").is_file()
    return path.with_suffix(".py").is_file() or path.is_dir() or (inner and path.name in words_of_code())


@pytest.mark.parametrize(
    ("what", "pattern", "exists"),
    [
        ("path", PATH, lambda name: name in places()),
        ("file", PYTHON_FILE, lambda name: any(place == name or place.endswith(f"/{name}") for place in places())),
        ("module", MODULE, is_module),
        ("function", CALL, lambda name: name in words_of_code()),
        ("kernel", KERNEL, lambda name: name in words_of_code() or any(Path(place).stem == name for place in places())),
    ],
)  # fmt: skip
def test_what_is_named_is_there(what: str, pattern: re.Pattern[str], exists: object) -> None:
    assert callable(exists)
    wrong = [f"{file}: {name}" for file, text in all_documents() for name in pattern.findall(text) if not exists(name)]
    assert not wrong, f"no such {what}"


def test_the_generated_parts_of_the_pages_are_those_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from pages import generated

    from edgeloop.cards.markdown import with_part

    for page, mark, text in generated():
        content = page.read_text(encoding="utf-8")
        assert content == with_part(content, mark, text), "run: python scripts/pages.py"
