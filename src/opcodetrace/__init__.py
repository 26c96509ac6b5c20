"""Bytecode-level tracing of concurrent Python: records thread switches, shows what lost an update."""
