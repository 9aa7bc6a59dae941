"""Cloud Tasks v2 on one machine: gRPC in, HTTP out, tasks kept in one SQLite file.

    google-cloud-tasks client ──gRPC──▶ service ──▶ store (SQLite)
                                           │           ▲
                                           ▼           │ what came of it
                                       dispatcher ──▶ courier ──HTTP + OIDC──▶ your handler
                                                                                   │
                                       web: /certs, /health  ◀── who signed this? ─┘

It speaks the vendor's API to the vendor's unmodified client and imports nothing of ours, so it
can be lifted out. `python -m local_tasks serve` runs it; tests use `server.LocalTasks` in process.
"""
