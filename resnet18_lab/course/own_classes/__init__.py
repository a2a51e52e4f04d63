"""What notebook 10 calls: pictures made by code, a last layer by hand, and what goes wrong on the way there."""
