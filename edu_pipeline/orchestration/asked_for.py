"""Whether somebody has asked for a run.

Belongs here: what Dagster's tags of a run say of that. Does not belong here: what is left out of a run that nobody has
asked for (``loading/load.py``, ``checks/running.py``).
"""

from collections.abc import Mapping


def is_unattended(tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags was started by a schedule or a sensor."""
    return not tags.keys().isdisjoint({"dagster/schedule_name", "dagster/sensor_name"})
