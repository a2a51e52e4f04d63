"""What everything stands on: errors, places, whole-file writes, hashes, this machine, the sample photographs."""
