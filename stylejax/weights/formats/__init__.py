"""The bytes of a weight file of torch or Keras come in; nothing that they hold is ever run.

Out go its tensors by name, or one line that says what is wrong with it.
"""
