"""Campaigns against the program: many bad moments, each with the answer that is right."""
