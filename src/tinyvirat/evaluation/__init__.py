"""Scores against labels: metrics, thresholds, intervals, tables and pictures."""
