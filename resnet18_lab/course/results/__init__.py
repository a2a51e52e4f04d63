"""Results of notebooks, many runs in one table: read, in long form, and compared."""
