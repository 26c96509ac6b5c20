"""What a trace proves: lost updates and their interleavings."""
