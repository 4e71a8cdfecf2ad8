"""What `outgrow` moves and measures of this platform: the vector index, venture by venture.

In: the entry points of `outgrow.movers` and `outgrow.experiments`, with what `outgrow.yaml` says under them, and the
settings of the platform from the environment. Out: a mover whose stores the index processes fill, and an experiment
that asks every layout with a sample of the platform's own ventures. Signs in as the application, never as the
database's owner. May know: all rooms, and all of outgrow; nobody knows it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what is opened is imported then: outgrow lists its plugins more often than it opens one
    from outgrow.ports import Experiment, Filling


def open_mover(settings: Mapping[str, Any], clock: object) -> "Filling":
    """The mover of kind `ventures-index`. settings: `source`, `target` (layouts), and `data` where it is not the
    platform's own. Raises: ValueError where they, or the platform's, are wrong.
    """
    from ventures.outgrow_plugin.moving import IndexFilling

    return IndexFilling.opened(settings)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Finds what is wrong in the settings of `ventures-index` without asking the platform. Raises: ValueError."""
    from ventures.outgrow_plugin.moving import settings_read

    settings_read(settings)


def open_experiment(settings: Mapping[str, Any], clock: object) -> "Experiment":
    """The experiment of kind `ventures-layouts`. Raises: ValueError where the settings are wrong."""
    from ventures.outgrow_plugin.layouts import LayoutExperiment

    return LayoutExperiment.opened(settings)
