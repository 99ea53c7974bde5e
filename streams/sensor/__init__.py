"""One sensor: its model, its signals, its episode, and what one event does to them.

============  ==============================================================
`state`       what is kept of it
`begin`       one that has sent nothing yet
`scoring`     what an event or a label does to it, in this order:
`limits`      a number is watched, and limited
`labels`      so are labels, and predictions until they come
`model`       the model is judged and taught
`findings`    what was found becomes what is reported
`monitors`    what watches its signals, and how strictly
`restore`     from its row and back
============  ==============================================================
"""

from streams.sensor.begin import new_sensor, try_out, untrained
from streams.sensor.model import forget_error
from streams.sensor.monitors import calibrate, loosen, monitor_of, strictness
from streams.sensor.restore import Fit, Stored, detectors_text, fit_of, fitted, refit, stored
from streams.sensor.scoring import Scored, learn_label, pass_by, score
from streams.sensor.state import Challenge, Loosened, RetrainDue, Sensor

__all__ = [
    "Challenge",
    "Fit",
    "Loosened",
    "RetrainDue",
    "Scored",
    "Sensor",
    "Stored",
    "calibrate",
    "detectors_text",
    "fit_of",
    "fitted",
    "forget_error",
    "learn_label",
    "loosen",
    "monitor_of",
    "new_sensor",
    "pass_by",
    "refit",
    "score",
    "stored",
    "strictness",
    "try_out",
    "untrained",
]
