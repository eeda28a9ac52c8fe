"""Programs that damage, kill and mislead runs, and check that nothing is lost and nothing goes wrong silently."""
