"""The rasteriser for processors: Numba kernels in the order project, sort and bin, composite, and the way back."""
