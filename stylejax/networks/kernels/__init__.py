"""The same arguments come in as for the plain functions of the networks and losses.

The same numbers go out, sooner or in less memory, so that a reader may pass this package by.
"""
