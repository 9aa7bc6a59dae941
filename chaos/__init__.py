"""Hurts the whole service on one machine, by a plan made from a seed, and proves what came of it.

plan ──▶ conductor ──▶ stage: dispatcher, two workers, queue, database, store   (kills, freezes…)
                         ▲  ╰── observer: triggers that write down every transition
customers ──HTTP only────┘
auditor: reads the database, the folder and what customers were told; knows none of our code
"""
