"""The native probe that hooks write to."""
