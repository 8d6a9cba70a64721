"""Areas, points and lines judged by named rules."""
