"""Detectors as compiled steps over rows of numbers, one row per sensor.

A row holds what River's object would hold, and a step does what its ``update`` does: the same
operations in the same order, so both agree to the last bit, and a state moves from one form to
the other at any moment (``freeze`` and ``thaw`` of each module).

Nothing is imported here: whoever asks for a detector by name does not wait for the compiler.
"""
