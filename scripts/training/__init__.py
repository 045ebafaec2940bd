"""Parts of the scripts that train networks."""
