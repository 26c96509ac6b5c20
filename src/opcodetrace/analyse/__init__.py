"""The evidence that findings rest on: sources, versions, orders of accesses, happens-before, locksets."""
