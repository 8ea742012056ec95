"""Celery's settings for a broker that is a folder, ``FOLDER_OF_THE_BROKER``: the tests need no server for it."""

import os

worker_lost_wait = 0.2
"""Seconds after which a killed process has its task taken away."""

_folder = os.environ["FOLDER_OF_THE_BROKER"]

broker_transport_options = {
    "data_folder_in": _folder,
    "data_folder_out": _folder,
    "control_folder": f"{_folder}/control",
}
