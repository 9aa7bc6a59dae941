"""A typed client of the REST API. It speaks HTTP, and knows nothing of the service's insides.

    with Client("https://colorway.example", api_key) as client:
        job = client.submit("photo.jpg", [{"name": "Nord", "colors": ["#2e3440", "#eceff4"]}])
        job = client.wait(job.id, on_progress=lambda job: print(job.progress_percent))
        for colorway in client.colorways(job.id, status="completed"):
            client.fetch_image(job.id, colorway.key, Path(f"{colorway.key}.png"))

Pictures are sent and received piece by piece, never held in memory.
"""

from colorway.client.bodies import (
    Colorway,
    ColorwayError,
    Counts,
    Duplicates,
    Estimate,
    Flaw,
    Health,
    Image,
    Job,
    JobImage,
    JobSummary,
    NearImage,
    QueueStats,
    Result,
    Stats,
    Timings,
)
from colorway.client.calls import Client
from colorway.client.errors import (
    ApiProblem,
    ClientError,
    ConnectionFailed,
    NotDoneInTime,
    UnexpectedAnswer,
)
from colorway.client.files import Picture
from colorway.client.orders import ImageId, ImageUrl, JobOptions

__all__ = [
    "ApiProblem",
    "Client",
    "ClientError",
    "Colorway",
    "ColorwayError",
    "ConnectionFailed",
    "Counts",
    "Duplicates",
    "Estimate",
    "Flaw",
    "Health",
    "Image",
    "ImageId",
    "ImageUrl",
    "Job",
    "JobImage",
    "JobOptions",
    "JobSummary",
    "NearImage",
    "NotDoneInTime",
    "Picture",
    "QueueStats",
    "Result",
    "Stats",
    "Timings",
    "UnexpectedAnswer",
]
