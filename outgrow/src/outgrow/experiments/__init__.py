"""What measures options: adapters of ``outgrow.ports.Experiment``, and the open-loop load they share.

In: settings from the declared file. Out: arms that can be set up, asked and compared, one at a time. Built in:
``command`` (any programs that print JSON), ``http`` (base URLs that are sent the same requests), ``vectors`` (stores
behind the mover port). Knows ``ports`` and the rooms before it.
"""
