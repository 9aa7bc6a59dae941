"""Every error raised on purpose, named for who must do something about it.

Refused      the caller of the API: answered as a gRPC status, with the vendor's wording
CannotStart  whoever started the server: one line, exit 2
"""

import grpc


class Refused(Exception):
    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class CannotStart(Exception):
    pass


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, message)


def already_exists(message: str) -> Refused:
    return Refused(grpc.StatusCode.ALREADY_EXISTS, message)


def unimplemented(message: str) -> Refused:
    return Refused(grpc.StatusCode.UNIMPLEMENTED, message)
