"""<workflow>/evaluation and champion_model: measure a candidate, compare it with the champion, promote it or not."""
