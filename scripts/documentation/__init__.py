"""Parts of docs/conf.py: what the site takes from files outside of docs, and from the program."""
