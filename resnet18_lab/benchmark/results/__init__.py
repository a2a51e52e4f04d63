"""What is read from a record: tables, figures, comparisons, targets."""
