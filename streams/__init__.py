"""Kafka and processes: the worker, its transport, and the command line."""
