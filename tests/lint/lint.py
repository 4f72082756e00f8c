"""lint.py CHECK [ROOT]: one rule of the house, over every file of the source tree. Prints what breaks it, one line each
(file:line: what, and what to do), and exits 1; exits 77 (a skip) when the tool that it needs is not there.

The checks are the functions named check_*; tests.cmake registers each as the test lint_NAME."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SKIP = 77
FORMAT_MAJOR = 14  # Debian 12's clang-format: another major formats some lines otherwise
LINES_MAX = 800
CODE = {".c", ".h", ".def", ".lua", ".js", ".mjs", ".py", ".sh", ".html", ".css"}
# Not ours or not source: builds, what npm fetched, and what git ignores.
NOT_SOURCE = re.compile(r"^(build.*|node_modules|__pycache__|\.git|\.cache|\.pytest_cache)$")


def walk(root, *tops):
    """Every file of the tree, or of its folders `tops`, in order."""
    for top in tops or ("",):
        for folder, folders, names in os.walk(root / top):
            folders[:] = sorted(d for d in folders if not NOT_SOURCE.match(d))
            yield from (Path(folder) / name for name in sorted(names))


def lines(file):
    return enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)


def includes(file):
    for number, line in lines(file):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found.group(1) == "<", found.group(2)


# Who may include what: a pattern of header names, and the folders that may.
ROOMS = [
    (re.compile(r"^sqlite3\.h$"), ("core/store/",)),
    (re.compile(r"^(lua|lauxlib|lualib|luaconf)\.h(pp)?$"), ("core/script/worker/",)),
    (re.compile(r"^(event2/http.*|evhttp\.h)$"), ("core/http/",)),
    (re.compile(r"^(event2/.*|event\.h)$"), ("core/http/", "core/loop/")),
    (re.compile(r"^curl/"), ("core/loop/",)),
]


def check_rooms(root):
    """A library stays in its room; a plugin sees one header of ours and nothing of the core."""
    for file in walk(root, "core", "plugins"):
        if file.suffix not in {".c", ".h"}:
            continue
        name = file.relative_to(root).as_posix()
        for number, is_system, header in includes(file):
            for pattern, rooms in ROOMS:
                if pattern.match(header) and not name.startswith(rooms):
                    yield f"{name}:{number}: <{header}> belongs to {' and '.join(rooms)} alone: call that room"
            if not is_system and name.startswith("plugins/") and not header.startswith("shepherd/"):
                if "/" in header or not (file.parent / header).exists():
                    yield f'{name}:{number}: "{header}": a plugin includes "shepherd/plugin.h" and its own files'


def check_files(root):
    """Every top folder explains itself; no file is too long; nothing is left for later; no machine's paths."""
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and not NOT_SOURCE.match(folder.name):
            if not (folder / "README.md").exists():
                yield f"{folder.name}/: no README.md: say what is here, how to add one, how to test it"
    later = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    machine = re.compile(r"/(home|Users|work|workspace|builds)/[A-Za-z0-9_.-]+")
    for file in walk(root):
        name = file.relative_to(root).as_posix()
        if name.startswith("tests/data/") or file.suffix not in CODE | {".md", ".cmake", ".txt", ".in", ".service", ""}:
            continue
        count = 0
        for count, line in lines(file):
            if file.suffix in CODE and later.search(line):
                yield f"{name}:{count}: {later.search(line).group()}: do it now, or write it into an issue"
            if machine.search(line) or (len(root.parts) > 2 and str(root) in line):
                yield f"{name}:{count}: a path of one machine"
        if file.suffix in CODE and count > LINES_MAX:
            yield f"{name}: {count} lines, {LINES_MAX} is the limit: split it by what it owns"


def tool(root, names, version, command):
    """Runs a checker; its output is the findings. version: (major, how to ask) or None."""
    path = next((found for found in map(shutil.which, names) if found), None)
    if path is None:
        print(f"skipped: {names[0]} is not installed (tests/run installs it)")
        sys.exit(SKIP)
    if version:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        if not re.search(rf"\b{version}\.\d+\.\d+", said):
            print(f"skipped: {names[0]} {version} is not installed, and another formats otherwise: {said.strip()}")
            sys.exit(SKIP)
    done = subprocess.run([path, *command], cwd=root, capture_output=True, text=True)
    if done.returncode:
        yield from (done.stdout + done.stderr).strip().splitlines() or [f"{names[0]}: exit {done.returncode}"]


def relative(root, files):
    return [file.relative_to(root).as_posix() for file in files]


def check_format(root):
    """C is as .clang-format says."""
    files = relative(root, (f for f in walk(root, "core", "plugins", "tests") if f.suffix in {".c", ".h"}))
    yield from tool(root, [f"clang-format-{FORMAT_MAJOR}", "clang-format"], FORMAT_MAJOR,
                    ["--dry-run", "-Werror", "--ferror-limit=1", *files])


def check_shell(root):
    """shellcheck, over everything that begins with a shell's #! line."""
    def is_shell(file):
        with file.open("rb") as start:
            return re.match(rb"#!\s*/(usr/)?bin/(env )?(ba|da)?sh\b|# shellcheck shell=", start.read(64)) is not None
    tops = (folder.name for folder in sorted(root.iterdir()) if folder.is_dir() and not NOT_SOURCE.match(folder.name))
    files = relative(root, (f for f in walk(root, *tops) if is_shell(f)))
    yield from tool(root, ["shellcheck"], None, ["-x", "-e", "SC2015", *files])


def check_lua(root):
    """luacheck, as .luacheckrc says."""
    files = relative(root, (f for f in walk(root, "lua", "views", "config", "plugins", "tests") if f.suffix == ".lua"
                            and "data" not in f.parts))
    if files:
        yield from tool(root, ["luacheck"], None, ["--no-color", "-q", *files])


def main():
    checks = {name[6:]: function for name, function in globals().items() if name.startswith("check_")}
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in checks:
        sys.exit(f"usage: lint.py {'|'.join(checks)} [ROOT]")
    root = Path(sys.argv[2] if len(sys.argv) == 3 else Path(__file__).parents[2]).resolve()
    findings = list(checks[sys.argv[1]](root))
    print("\n".join(findings) or f"{sys.argv[1]}: nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
