import random

from detectors import create

rng = random.Random(1)
adwin = create("adwin")
for row in range(2000):
    adwin.update(rng.gauss(20.0 if row < 1000 else 23.0, 2.0))
    if adwin.drift_detected:
        print(f"change found at row {row}")
