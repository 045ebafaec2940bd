"""The version of the package, as its metadata and the settings in pictures state it."""

VERSION = "0.1.0"
