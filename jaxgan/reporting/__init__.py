"""Runs on pages: the report, the comparison, the model card."""
