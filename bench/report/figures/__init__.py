"""The report's figures. Each takes plain numbers and gives a drawing with the numbers beside it as CSV."""

WIDTH = 760.0
"""Pixels of a full-width figure's viewBox."""
PHONE = 360.0
"""Pixels of the viewBox of a figure drawn for a phone, where a pixel is then about as wide as the screen's."""
