"""Programs that measure; nothing here is imported by the library or asserted by a test."""
