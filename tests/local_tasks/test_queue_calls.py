"""Every call about tasks through the vendor's client: answers, refusals and their wording."""

import datetime

import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    InvalidArgument,
    MethodNotImplemented,
    NotFound,
)
from google.cloud.tasks_v2 import Task
from google.protobuf.duration_pb2 import Duration

from local_tasks.clock import ManualClock
from tests.local_tasks.stage import PARENT, QUEUE, LocalQueue, StartQueue, Target

LATER = datetime.timedelta(hours=1)
URL = "http://127.0.0.1:1/render"
A_DAY = 24 * 3600


def test_a_created_task_comes_back_with_its_defaults(queue: LocalQueue, clock: ManualClock):
    task = queue.create(URL, name="t1", schedule_time=in_an_hour(clock))

    assert task.name == f"{QUEUE}/tasks/t1"
    assert task.http_request.http_method.name == "POST"
    assert task.http_request.headers == {"User-Agent": "Google-Cloud-Tasks"}
    assert task.dispatch_deadline == datetime.timedelta(minutes=10)
    assert task.create_time.timestamp() == int(clock.now())
    assert task.schedule_time == in_an_hour(clock)
    assert (task.dispatch_count, task.view) == (0, Task.View.BASIC)


def test_a_task_without_a_name_is_given_one(queue: LocalQueue, clock: ManualClock):
    names = {queue.create(URL, schedule_time=in_an_hour(clock)).name for _ in range(3)}

    assert len(names) == 3
    assert all(queue.client.get_task(name=name).name == name for name in names)


def test_a_schedule_time_in_the_past_is_now(queue: LocalQueue, target: Target, clock: ManualClock):
    target.hold()
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)

    task = queue.create(target.url, schedule_time=past)

    assert task.schedule_time.timestamp() == pytest.approx(clock.now(), abs=1e-5)
    target.wait_for(1)


def test_the_body_is_shown_in_the_full_view_only(queue: LocalQueue, clock: ManualClock):
    name = queue.create(URL, http_request={"body": b"secret"}, schedule_time=in_an_hour(clock)).name

    basic = queue.client.get_task(name=name)
    full = queue.client.get_task(request={"name": name, "response_view": Task.View.FULL})
    (listed,) = queue.client.list_tasks(request={"parent": QUEUE, "response_view": "FULL"})

    assert (basic.http_request.body, basic.view) == (b"", Task.View.BASIC)
    assert (full.http_request.body, full.view) == (b"secret", Task.View.FULL)
    assert listed == full


def test_tasks_are_listed_in_pages(queue: LocalQueue, clock: ManualClock):
    for number in range(7):
        queue.create(URL, name=f"t{number}", schedule_time=in_an_hour(clock))

    first = queue.client.list_tasks(request={"parent": QUEUE, "page_size": 3})
    pages = [[task.name.rpartition("/")[2] for task in page.tasks] for page in first.pages]

    assert pages == [["t0", "t1", "t2"], ["t3", "t4", "t5"], ["t6"]]


def test_a_list_holds_no_other_queues_tasks(queue: LocalQueue, clock: ManualClock):
    for name in ("normal-2", "norma"):
        other = f"{PARENT}/queues/{name}"
        queue.client.create_queue(parent=PARENT, queue={"name": other})
        task = {"http_request": {"url": URL}, "schedule_time": in_an_hour(clock)}
        queue.client.create_task(parent=other, task=task)

    assert list(queue.client.list_tasks(parent=QUEUE)) == []


def test_a_deleted_task_is_gone(queue: LocalQueue, clock: ManualClock):
    name = queue.create(URL, schedule_time=in_an_hour(clock)).name

    queue.client.delete_task(name=name)

    assert list(queue.client.list_tasks(parent=QUEUE)) == []
    for call in (queue.client.get_task, queue.client.delete_task):
        with pytest.raises(NotFound, match="The task no longer exists, though a task with this"):
            call(name=name)


def test_an_unknown_task_is_not_found(queue: LocalQueue):
    for call in (queue.client.get_task, queue.client.delete_task):
        with pytest.raises(NotFound) as refusal:
            call(name=f"{QUEUE}/tasks/never")
        assert refusal.value.message == "Requested entity was not found."


def test_a_name_in_use_is_refused(queue: LocalQueue, clock: ManualClock):
    queue.create(URL, name="t1", schedule_time=in_an_hour(clock))

    with pytest.raises(AlreadyExists) as refusal:
        queue.create(URL, name="t1")

    assert refusal.value.message == "Requested entity already exists"


@pytest.mark.parametrize("ending", ["completed", "deleted"])
def test_a_name_is_free_again_a_day_after_the_task_is_over(
    queue: LocalQueue, target: Target, clock: ManualClock, ending: str
):
    name = queue.create(target.url, name="t1").name
    if ending == "deleted":
        target.hold()
        target.wait_for(1)
        name = queue.create(target.url, name="t2", schedule_time=in_an_hour(clock)).name
        queue.client.delete_task(name=name)
    assert ending == "deleted" or queue.server.settle()
    short_name = name.rpartition("/")[2]

    clock.advance(A_DAY - 1)
    with pytest.raises(AlreadyExists):
        queue.create(target.url, name=short_name)
    clock.advance(1)
    task = queue.create(target.url, name=short_name, schedule_time=in_an_hour(clock))

    assert task.dispatch_count == 0
    assert queue.client.get_task(name=name).dispatch_count == 0


def test_old_names_are_swept_out_of_the_file(queue: LocalQueue, target: Target, clock: ManualClock):
    name = queue.create(target.url, name="t1").name
    queue.server.settle()

    clock.advance(A_DAY)
    queue.create(target.url, name="another", schedule_time=in_an_hour(clock))

    with pytest.raises(NotFound) as refusal:
        queue.client.get_task(name=name)
    assert refusal.value.message == "Requested entity was not found."


def http(**parts: object) -> dict[str, object]:
    return {"http_request": {"url": URL, **parts}}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({}, "Task.http_request is required."),
        (http(url=""), "HttpRequest.url is required."),
        (http(url="ftp://[::1]/"), "HttpTarget.url must start with 'http://' or 'https://'."),
        (http(url="http://"), "HttpRequest.url has no host that can be understood."),
        (http(url=URL + "x" * 2083), "HttpRequest.url must be no longer than 2083 characters."),
        (http(http_method=99), "HttpRequest.http_method is not one of HttpMethod."),
        (
            http(http_method="GET", body=b"x"),
            "HttpRequest.body is allowed only with POST, PUT or PATCH, not GET.",
        ),
        (http(body=b"x" * 2**20), "Task size too large"),
        (http(headers={"X": "x" * 81920}), "HttpRequest.headers must be smaller than 80KB."),
        (http(oidc_token={"audience": "x"}), "OidcToken.service_account_email is required."),
        (
            http() | {"dispatch_deadline": Duration(seconds=14)},
            "Task.dispatchDeadline must be between [15s, 30m].",
        ),
        (
            http() | {"dispatch_deadline": Duration(seconds=1801)},
            "Task.dispatchDeadline must be between [15s, 30m].",
        ),
        (
            http() | {"name": f"{PARENT}/queues/other/tasks/t1"},
            f"The queue name from request ('{QUEUE}') must be the same as the queue name in the"
            f" named task ('{PARENT}/queues/other').",
        ),
        (
            http() | {"name": "t1"},
            'Task name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/'
            '<QUEUE_ID>/tasks/<TASK_ID>"',
        ),
        (
            http() | {"name": f"{QUEUE}/tasks/not a valid id"},
            'Task ID "not a valid id" can contain only letters ([A-Za-z]), numbers ([0-9]), hyphens'
            " (-), or underscores (_). Task ID must between 1 and 500 characters.",
        ),
    ],
)
def test_a_task_that_breaks_a_rule_is_refused(
    queue: LocalQueue, task: dict[str, object], message: str
):
    with pytest.raises(InvalidArgument) as refusal:
        queue.client.create_task(parent=QUEUE, task=task)

    assert refusal.value.message == message
    assert list(queue.client.list_tasks(parent=QUEUE)) == []


def test_thirty_days_ahead_is_as_far_as_it_goes(queue: LocalQueue, clock: ManualClock):
    edge = clock.now() + 30 * A_DAY
    queue.create(URL, schedule_time=datetime.datetime.fromtimestamp(edge - 1, datetime.UTC))

    with pytest.raises(InvalidArgument, match="is too far in the future"):
        queue.create(URL, schedule_time=datetime.datetime.fromtimestamp(edge + 1, datetime.UTC))


@pytest.mark.parametrize("seconds", [15, 1800])
def test_both_ends_of_the_deadlines_are_accepted(
    queue: LocalQueue, clock: ManualClock, seconds: int
):
    deadline = datetime.timedelta(seconds=seconds)

    task = queue.create(URL, dispatch_deadline=deadline, schedule_time=in_an_hour(clock))

    assert task.dispatch_deadline == deadline


def test_a_body_of_nearly_a_mebibyte_is_accepted_and_sent(queue: LocalQueue, target: Target):
    body = b"x" * (2**20 - 1000)

    queue.create(target.url, http_request={"body": body})

    assert target.wait_for(1)[0].body == body


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://10.0.0.1/",
        "http://0.0.0.0/",
        "http://127.0.0.1@example.com/",
        "http://localhost.example.com/",
        "http://169.254.169.254/",
        "http://[2001:db8::1]/",
    ],
)
def test_a_task_may_not_leave_the_machine(queue: LocalQueue, url: str):
    with pytest.raises(InvalidArgument, match=r"must stay on this machine.*--allow-remote-targets"):
        queue.create(url)


@pytest.mark.parametrize("url", ["http://localhost:1/", "http://127.9.9.9:1/", "http://[::1]:1/"])
def test_a_task_may_go_to_any_address_of_the_machine(
    queue: LocalQueue, clock: ManualClock, url: str
):
    assert queue.create(url, schedule_time=in_an_hour(clock)).http_request.url == url


def test_a_task_may_leave_the_machine_when_told_so(start_queue: StartQueue, clock: ManualClock):
    queue = start_queue(allow_remote_targets=True)

    task = queue.create("https://example.com/", schedule_time=in_an_hour(clock))

    assert task.http_request.url == "https://example.com/"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"app_engine_http_request": {"relative_uri": "/"}}, "use http_request"),
        (
            {"http_request": {"url": URL, "oauth_token": {"service_account_email": "a@b"}}},
            "use oidc_token",
        ),
        (
            {"http_request": {"url": URL}, "retry_config": {"max_attempts": 1}},
            "set it on the queue",
        ),
    ],
)
def test_what_is_not_there_yet_is_not_ignored(
    queue: LocalQueue, task: dict[str, object], message: str
):
    with pytest.raises(MethodNotImplemented, match=f"not implemented by this.*{message}"):
        queue.client.create_task(parent=QUEUE, task=task)


def test_a_call_that_is_not_there_yet_says_so(queue: LocalQueue):
    with pytest.raises(MethodNotImplemented):
        queue.client.pause_queue(name=QUEUE)


def in_an_hour(clock: ManualClock) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(clock.now()), datetime.UTC) + LATER
