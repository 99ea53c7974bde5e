"""Ordinary sensors as rows of numbers, worked on by compiled code: the fast way of an event.

What the plain path (`streams.sensor.score`) does to an object, `step` does to a row, to the last
bit, as long as there is nothing to tell; at anything else the sensor becomes an object again for
that event. Without numba there are no banks, and all goes the plain way.
"""
