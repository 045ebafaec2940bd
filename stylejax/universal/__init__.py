"""Universal style transfer: any painting in one pass, by transforms of features and decoders.

Source: Li, Fang, Yang, Wang, Lu, Yang, Universal Style Transfer via Feature Transforms (2017),
arXiv 1705.08086.
"""
