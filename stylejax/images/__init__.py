"""Picture files come in, and arrays that are to become picture files.

Out go arrays of height x width x 3, float32 sRGB in [0, 1], read, scaled, recolored, masked or laid
out on a sheet, and whole files.
"""
