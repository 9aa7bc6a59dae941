"""Removes what is kept no longer, and nothing in use: the row first, commit, then the object.

Called by a scheduler (POST /internal/cleanup), by a timer, or by hand: `python -m
dispatcher.cleanup`. Idempotent, bounded per call, and safe to run twice at once. Killed anywhere,
it leaves objects that nothing points to, at most, and the next call goes on.
"""

from dispatcher.cleanup.call import Cleanup, Removed

__all__ = ["Cleanup", "Removed"]
