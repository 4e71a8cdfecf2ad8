"""Each layout in a file; `opened` gives one by its name."""
