"""Labels: words with a colour that people hang on artifacts, of the whole server or of one project."""
