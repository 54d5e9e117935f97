"""FLAME, from the user's own file. Nothing of FLAME is in this package."""
