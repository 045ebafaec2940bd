"""The parts of `pretrain.py`: teacher, student, pictures, schedule, figures."""
