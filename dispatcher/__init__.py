"""Takes jobs and reports on them; never decodes an image."""
