"""Moves of the platform's index as people meet them: a real `ventures serve`, requests and searches meanwhile, and
`outgrow migrate` as a process of its own. In: a population; out: what the move took, what they felt, what they read.
"""
