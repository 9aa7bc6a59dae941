"""The OpenAPI 3.1 document: schemas from the very models that parse and answer, paths by hand.

A test holds the paths against the app's url_map, and real answers against the schemas.
"""

from __future__ import annotations

from dispatcher.api.openapi.document import openapi_document, openapi_routes

__all__ = ["openapi_document", "openapi_routes"]
