"""Which names the modules of a tree give each other, read from their source."""

import ast
from collections.abc import Iterator
from pathlib import Path

from accepted.ladder import files


def signatures(path: Path) -> dict[str, str]:
    """The parameters of a module's public functions, and of its classes' public methods, without their types."""
    found = {}
    for name, node in _public(ast.parse(path.read_text()).body):
        for each in ast.walk(node.args):
            if isinstance(each, ast.arg):
                each.annotation = None
        found[name] = ast.unparse(node.args)
    return found


def _public(body: list[ast.stmt], within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if isinstance(node, ast.FunctionDef):
                yield within + node.name, node
            else:
                yield from _public(node.body, f"{node.name}.")


class Tree:
    """The modules of a tree by dotted name, and the names that each defines."""

    def __init__(self, folder: Path) -> None:
        self.paths = {path: _dotted(path) for path in sorted(files(folder)) if path.endswith(".py")}
        self.sources = {path: ast.parse((folder / path).read_text()) for path in self.paths}
        self.defined = {dotted: _defined(self.sources[path]) for path, dotted in self.paths.items()}

    def missing(self) -> list[str]:
        """`path: module.name` for each name that is used and not there, in order."""
        return sorted({f"{path}: {name}" for path in self.paths for name in self._missing_in(path)})

    def _missing_in(self, path: str) -> list[str]:
        package = self.paths[path].split(".") if path.endswith("__init__.py") else self.paths[path].split(".")[:-1]
        wrong: list[str] = []
        modules: dict[str, str] = {}
        for node in ast.walk(self.sources[path]):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - node.level + 1]
                of = ".".join([*base, node.module] if node.module else base)
                for alias in node.names:
                    child = f"{of}.{alias.name}".lstrip(".")
                    if child in self.defined:
                        modules[alias.asname or alias.name] = child
                    elif alias.name not in self.defined.get(of, set()):
                        wrong.append(f"{of}.{alias.name}")
        for node in ast.walk(self.sources[path]):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                of = modules[node.value.id]
                if node.attr not in self.defined[of] and f"{of}.{node.attr}" not in self.defined:
                    wrong.append(f"{of.rpartition('.')[2]}.{node.attr}")
        return wrong


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _defined(module: ast.Module) -> set[str]:
    """What a module has at its top level, imports as well."""
    found: set[str] = set()
    for node in module.body:
        for each in ast.walk(node) if isinstance(node, ast.If | ast.Try | ast.For) else [node]:
            match each:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    found.add(each.name)
                case ast.Import() | ast.ImportFrom():
                    found |= {(alias.asname or alias.name).split(".")[0] for alias in each.names}
                case ast.Assign() | ast.AnnAssign():
                    targets = each.targets if isinstance(each, ast.Assign) else [each.target]
                    for target in targets:
                        found |= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found
