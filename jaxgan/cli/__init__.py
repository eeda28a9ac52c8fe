"""The command line: argument parsing, help, error messages, and one module for each command."""
