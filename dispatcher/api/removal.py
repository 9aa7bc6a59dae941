"""DELETE of jobs and sources."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, request

from dispatcher.api.authentication import caller_of
from dispatcher.api.calls import refuse_a_body, refuse_unknown_parameters
from dispatcher.removal import Removal


def removal_routes(removal: Removal) -> Blueprint:
    """Return the routes that delete."""
    routes = Blueprint("removal", __name__, url_prefix="/v1")

    @routes.delete("/jobs/<uuid:job>")
    def delete_job(job: UUID) -> Response:
        removal.delete_job(_allowed_account(), job)
        return Response(status=204)

    @routes.delete("/images/<uuid:image>")
    def delete_image(image: UUID) -> Response:
        removal.delete_image(_allowed_account(), image)
        return Response(status=204)

    def _allowed_account() -> UUID:
        """Return whose key this is, if it may delete, and the call says nothing else."""
        account = caller_of(removal.ledger, request, "submit").account
        refuse_unknown_parameters()
        refuse_a_body()
        return account

    return routes
