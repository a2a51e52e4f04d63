"""Learning: distillation from a teacher's soft targets, by minutes rather than epochs, resumable at any moment."""
