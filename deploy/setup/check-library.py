"""Loads a libtensorflow and refuses it, in words, unless it has the C API and a version that the product works with."""

import ctypes
import platform
import sys

OLDEST, NEWEST = (2, 12), (2, 21)
SYMBOLS = ["TF_Version", "TF_LoadSessionFromSavedModel", "TF_SessionRun", "TFE_NewContext", "TFE_Execute"]

MACHINES = {62: "x86_64", 183: "aarch64"}  # ELF's e_machine

path = sys.argv[1]
with open(path, "rb") as file:
    header = file.read(20)
built_for = MACHINES.get(int.from_bytes(header[18:20], "little")) if header.startswith(b"\x7fELF") else None
if built_for != platform.machine():
    sys.exit(f"Expected a libtensorflow for {platform.machine()} in {path}, found {built_for or 'something else'}")
try:
    library = ctypes.CDLL(path)
except OSError as error:
    sys.exit(f"Expected a libtensorflow that loads on this machine in {path}, found: {error}")
missing = [name for name in SYMBOLS if not hasattr(library, name)]
if missing:
    sys.exit(f"Expected TensorFlow's C API in {path}, but it lacks {', '.join(missing)}")
library.TF_Version.restype = ctypes.c_char_p
version = library.TF_Version().decode()
if not OLDEST <= tuple(int(part) for part in version.split(".")[:2]) <= NEWEST:
    expected = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    sys.exit(f"Expected TensorFlow {expected} in {path}, found {version}")
print(version)
