"""The trained weights: which there are, finding and verifying them, downloading them."""
