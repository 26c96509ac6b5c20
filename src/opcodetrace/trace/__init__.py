"""The vocabulary: what the stages say to each other. Nothing here imports a stage, NumPy or SQLite."""
