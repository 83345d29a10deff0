"""The SQL of projects: projects, their settings, their members."""
