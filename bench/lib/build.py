"""Builds what is measured and what measures."""
import functools
import os
import subprocess

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCH)
CONF = os.path.join(BENCH, "conf")
TOOLS = os.path.join(ROOT, "build", "bench")
COMPILER = ["clang++-19", "-std=c++23", "-O2", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow",
            "-Wconversion", "-Wold-style-cast", "-Werror"]


LIBRARIES = {"handshakes": ["-lssl", "-lcrypto"]}


def tool(name):
    """The path of one of the programs of this folder, built if it is older than its sources."""
    os.makedirs(TOOLS, exist_ok=True)
    source, binary = os.path.join(BENCH, name + ".cc"), os.path.join(TOOLS, name)
    headers = [os.path.join(BENCH, file) for file in os.listdir(BENCH) if file.endswith(".h")]
    newest = max(map(os.path.getmtime, [source, *headers]))
    if not os.path.exists(binary) or os.path.getmtime(binary) < newest:
        subprocess.run([*COMPILER, source, "-o", binary, *LIBRARIES.get(name, [])],
                       check=True)
    return binary


def module(name):
    """The path of a module of modules/, built as other people's modules are."""
    folder = os.path.join(TOOLS, "modules")
    os.makedirs(folder, exist_ok=True)
    source, binary = (os.path.join(BENCH, "modules", name + ".c"),
                      os.path.join(folder, name + ".so"))
    subprocess.run(["clang-19", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    "-fPIC", "-shared", "-I" + os.path.join(ROOT, "include"), source, "-o",
                    binary], check=True)
    return binary


def preload(name):
    """The path of a library of this folder, for LD_PRELOAD."""
    os.makedirs(TOOLS, exist_ok=True)
    source, binary = os.path.join(BENCH, name + ".c"), os.path.join(TOOLS, name + ".so")
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
        subprocess.run(["clang-19", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        "-fPIC", "-shared", source, "-o", binary], check=True)
    return binary


def fill_in(template, values, folder):
    """Puts values into a file of conf/; returns where the result is."""
    with open(os.path.join(CONF, template), encoding="utf-8") as file:
        text = file.read()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    path = os.path.join(folder, template)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def before():
    """The path of the other build of Penstock, or what is wrong: (path, error)."""
    binary = os.environ.get("PENSTOCK_BEFORE", "")
    return (binary, None) if os.access(binary, os.X_OK) else (None, "give its binary by --before")


@functools.cache
def penstock():
    """The path of the release build of Penstock, or what went wrong: (path, error)."""
    result = subprocess.run([os.path.join(ROOT, "run"), "--build"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    binary = os.path.join(ROOT, "build", "release", "penstock")
    if result.returncode == 0 and os.path.exists(binary):
        return binary, None
    lines = (result.stdout + result.stderr).strip().splitlines()
    return None, "does not build: " + (lines[-1] if lines else "no output")
