"""The pages for people: /docs and /problems. Programs that call the API need none of them."""
