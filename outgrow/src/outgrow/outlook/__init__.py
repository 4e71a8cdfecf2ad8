"""When each limit will be crossed, in users and as a date, or why that cannot be known yet.

In: frozen series and ramps (``signals``) and declared triggers (``points``). Out: ``Forecast`` records with intervals,
doubt and refusals, and the state of each trigger. Knows only ``signals``, ``points``, ``quantities`` and ``errors``.
Pure: time and random generators arrive as arguments; the same input gives the same forecast.
"""
