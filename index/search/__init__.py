"""From a plan and a view to hits."""
