"""Test modules are named after their path; importing the packages first keeps their folders from shadowing them."""

import outgrow
import ventures

assert outgrow.__version__
assert ventures.__doc__
