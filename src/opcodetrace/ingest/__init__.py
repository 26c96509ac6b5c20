"""From a spool to a Trace: which accesses lanes share, and what the records say of them."""
