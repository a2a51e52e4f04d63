"""From a picture's bytes to the network's input: safe decoding, the 224×224 crop, and why a file is refused."""
