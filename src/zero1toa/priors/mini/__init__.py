"""A small video diffusion prior of our own: synthetic portraits, a network, its training, and the prior itself."""
