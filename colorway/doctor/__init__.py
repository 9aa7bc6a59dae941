"""Is everything there that a service needs, and does it fit together? What both doctors share.

A check is a function that yields findings; it writes nothing that it does not take away again, and
what it finds names no secret. `python -m dispatcher.doctor` and `python -m palette_worker.doctor`
put the checks of their service in order; `report.py` runs and shows them.
"""
