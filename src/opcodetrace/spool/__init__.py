"""The folder between the two processes: the records, what the weaver says of them, and how the run was made."""
