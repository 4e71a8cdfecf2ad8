"""The whole story on one machine: a real search service, a real ramp to its limit, a year of simulated users.

In: a directory to write into, and the recorder, ledger and forecast that ``wiring`` puts together. Out: that directory
(declared file, ramp, history, picture) and events for the command line to show. Stands between ``wiring`` and ``cli``.
``service`` and ``load`` run as processes of their own on the loopback interface, end with the story, and end by
themselves when it dies. What is simulated (``history``) says so; everything else is measured.
"""
