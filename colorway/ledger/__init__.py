"""The database, and the only truth about jobs. Functions take a Session and never commit."""
