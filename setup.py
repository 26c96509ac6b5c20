"""The C extension, nothing else; all metadata is in setup.cfg."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "opcodetrace.probe._probe",
            sources=["src/opcodetrace/probe/_probe.c"],
            extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra"],
        )
    ]
)
