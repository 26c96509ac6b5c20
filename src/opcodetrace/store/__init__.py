"""The trace file: schema, ingest, writing and reading."""
