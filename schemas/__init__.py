"""What crosses a boundary: messages, their bytes, settings and errors.

Knows nothing of Kafka and nothing of River.
"""
