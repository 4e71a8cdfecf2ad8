"""What a comparison of options has shown, and how surely.

In: measured rounds of several arms, or a ratio somebody else measured, as frozen records. Out: the ratio of an option
over the tuned baseline as an interval, what each arm measured of a trigger, and whether a threshold is cleared. Knows
``outlook`` (for its distributions) and what lies below it. Pure: files are read in ``imports``, measurements are made
elsewhere.
"""
