"""The parts of `paint.py`: fields and flows, scenes, paintings as data, and the renderer."""
