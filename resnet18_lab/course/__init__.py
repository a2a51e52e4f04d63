"""What the notebooks call: a folder a lesson, and the report that runs them."""
