"""The variables of a network and a picture in [0, 1] come in.

Out go its feature maps, height x width x channels, under the names that papers, Keras and
torchvision give to the layers.
"""
