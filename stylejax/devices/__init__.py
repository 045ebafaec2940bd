"""What there is to compute on comes out: devices, their memory, meshes of them, other processes."""
