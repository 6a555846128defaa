"""`im2latex explain`: pictures of where the model looked, and where it was unsure."""
