"""Pictures of finished records.

In: records that other rooms made (``outlook.records``), and the words that belong beside them. Out: Altair charts, and
SVG or PNG files that need nothing from the network. Knows only ``ports`` and the rooms before it. Draws what a record
says and computes nothing of its own: a refusal is drawn as a refusal. Importing this room costs Altair (0.6 s), so
that only commands that draw do it.
"""
