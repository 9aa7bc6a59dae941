"""What both services must agree on: words, rules, ledger, stores. Imports neither service."""
