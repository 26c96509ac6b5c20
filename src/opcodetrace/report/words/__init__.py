"""The words of a report, by subject: the same in every format that people read."""
