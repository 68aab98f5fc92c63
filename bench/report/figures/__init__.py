"""The report's figures. Each takes plain numbers and gives a drawing with the numbers beside it as CSV."""
