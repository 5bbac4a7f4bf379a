"""<workflow>/predictions: the champion, or a fallback, scores every customer."""
