"""The trace file: schema, writing and reading."""
