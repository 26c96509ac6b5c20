"""From a stored run to a report: the interleavings of what was found, and what protected the rest."""
