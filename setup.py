"""The C extensions, nothing else; all metadata is in setup.cfg."""

import sys
from glob import glob

from setuptools import Extension, setup

# A symbol that is looked up as a hook first needs it holds the thread up.
BOUND_AT_ONCE = ["-Wl,-z,now"] if sys.platform == "linux" else []
ARGUMENTS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"]
SHARED = ["src/opcodetrace/spool/record.h", "src/opcodetrace/trace/columns.h"]

setup(
    ext_modules=[
        Extension(
            "opcodetrace.probe._probe",
            sources=sorted(glob("src/opcodetrace/probe/*.c")),
            depends=[*sorted(glob("src/opcodetrace/probe/*.h")), *SHARED],
            extra_compile_args=ARGUMENTS,
            extra_link_args=BOUND_AT_ONCE,
        ),
        *(
            Extension(
                f"opcodetrace.{name.replace('/', '.')}",
                [f"src/opcodetrace/{name}.c"],
                depends=SHARED,
                extra_compile_args=ARGUMENTS,
            )
            for name in ("analyse/_passes", "ingest/_candidates", "ingest/_numbering", "spool/_survey", "store/_btree")
        ),
    ]
)
