"""What runs while a benchmark is measured."""
