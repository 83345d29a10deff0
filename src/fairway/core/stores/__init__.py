"""Where blobs are kept: two protocols and the stores that implement them."""
