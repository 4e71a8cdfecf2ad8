"""Test modules are named after their path; importing the package first keeps the folder ``outgrow/`` from shadowing it."""

import outgrow

assert outgrow.__version__
