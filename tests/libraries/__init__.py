"""A measurement: which real races in published libraries are found, and what is told of right uses of them."""
