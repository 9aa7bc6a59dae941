"""Finds what got lost on the way and sends it again, proves what the ledger says, gives up at last.

Called by a scheduler (POST /internal/reconcile), by a timer, or by hand: `python -m
dispatcher.reconciler`. Idempotent, bounded per call, and safe to run twice at once: each repair is
one guarded transaction.
"""

from dispatcher.reconciler.call import Reconciler, Repairs

__all__ = ["Reconciler", "Repairs"]
