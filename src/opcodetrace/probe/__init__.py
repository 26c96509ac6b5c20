"""The native probe that hooks write to, and the spool that it writes."""
