"""Fetches a picture from a client's URL: from public addresses only, within limits (DESIGN §9).

Whoever may name a URL may make this service call it. So what is called is never what a name might
mean a moment later, but an address that was looked at: a name is resolved once per hop, one address
that is not public condemns it, and the connection goes to one of those very addresses.
"""

from dispatcher.remote_image.address import IPAddress, is_public
from dispatcher.remote_image.fetch import Limits, RemoteImages
from dispatcher.remote_image.source_url import SourceUrl, UrlRules

__all__ = ["IPAddress", "Limits", "RemoteImages", "SourceUrl", "UrlRules", "is_public"]
