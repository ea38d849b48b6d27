"""Times: those at which something runs by itself (cron lines and time zones, checked before a service starts), and how long it takes."""

import datetime as dt

UTC = "UTC"
_FIELDS = 5


def cron_fault(line: str) -> str | None:
    """What is wrong with a cron line; None: it is one, and it comes due some day.

    What Prefect's own reader refuses is refused, too: days counted from the end of a month (`5L`, `LW`).
    """
    from cronsim import CronSim, CronSimError

    fields = line.upper().split()
    if len(fields) != _FIELDS:
        return f"it has {len(fields)} fields"
    if "LW" in fields[2] or "L" in fields[4]:
        return "Prefect knows no last Friday and no last working day"
    try:
        CronSim(line, dt.datetime(2000, 1, 1))
    except CronSimError as error:
        return str(error)
    return None


def time_zones() -> frozenset[str]:
    """The names that this machine knows, of its system or of the package tzdata."""
    from zoneinfo import available_timezones

    return frozenset(available_timezones()) | {UTC}


def is_time_zone(name: str) -> bool:
    """Whether Prefect takes it for one: to the letter, upper and lower case included."""
    return name == UTC or name in time_zones()


def in_words(seconds: float) -> str:
    """A duration as it is said: 40 s, 12 min, 1 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
