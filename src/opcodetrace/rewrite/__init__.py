"""Weaving: hooks spliced into bytecode."""
