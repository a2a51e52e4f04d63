"""Engines that need torch in the process."""
