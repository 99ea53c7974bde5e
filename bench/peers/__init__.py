"""What users would write instead of Driftline, one short program each.

All have the same usage: ``python -m bench.peers.NAME BOOTSTRAP PREFIX PARTITIONS COUNT...``. They
read ``PREFIX.sensors`` from its beginning, write what they find to ``PREFIX.alerts``, print each
COUNT as soon as so many events have been processed, and go on until they are ended.
"""
