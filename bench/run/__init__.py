"""Jobs: what they are, how one is carried out, and how many are supervised."""
