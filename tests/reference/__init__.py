"""High-precision kernels, made by formulae that share nothing with the package."""
