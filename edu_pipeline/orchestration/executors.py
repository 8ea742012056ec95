"""Which of Dagster's executors runs the jobs: the setting ``EDU_EXECUTOR``.

Belongs here: nothing else. Does not belong here: how steps run in threads (``threaded_executor.py``), on a Dask cluster
(``dask_executor.py``) or as tasks of Celery (``celery_executor.py``).

A step costs 0.03 to 0.08 s in one process and 2 s with multiprocessing. The distributed executors need their package
(the extras ``dask`` and ``celery``) and workers.
"""

from __future__ import annotations

import importlib

import dagster as dg

from edu_pipeline.errors import SettingInvalid
from edu_pipeline.orchestration.threaded_executor import in_process_executor
from edu_pipeline.settings import settings

DISTRIBUTED = {
    "dask": ("edu_pipeline.orchestration.dask_executor", "dask_executor", "distributed"),
    "celery": ("edu_pipeline.orchestration.celery_executor", "celery_executor", "celery"),
}
"""By name: the module and the object in it, and the package that it needs."""


def executor() -> dg.ExecutorDefinition:
    """The executor that the settings name.

    Raises:
        SettingInvalid: its package is not installed.
    """
    name = settings().executor
    if name not in DISTRIBUTED:
        return in_process_executor if name == "in_process" else dg.multiprocess_executor
    module, attribute, package = DISTRIBUTED[name]
    try:
        definition = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise SettingInvalid(
            "EDU_EXECUTOR",
            f"expected the package {package} for the executor {name!r}, found it not installed.",
            f"Install it (`pip install edu_pipeline[{name}]`), or use in_process.",
        ) from error
    assert isinstance(definition, dg.ExecutorDefinition)
    return definition
