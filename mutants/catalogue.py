"""The mutants: mistakes that would lose, double or miscount what was accepted."""

from __future__ import annotations

from mutants.mutant import Edit, Mutant

LEASE, LAPSE = "colorway/ledger/lease.py", "colorway/ledger/lapse.py"
COMMANDS, OUTBOX = "colorway/ledger/commands.py", "colorway/ledger/outbox.py"
REPAIRS, PROGRESS = "colorway/ledger/repairs.py", "colorway/ledger/progress.py"
REMOVAL, QUOTAS = "colorway/ledger/removal.py", "colorway/ledger/quotas.py"

LEDGER_TESTS = ("tests/colorway/ledger",)
REUSE_TESTS = (
    "tests/colorway/ledger/test_submission.py",
    "tests/colorway/ledger/test_retention_races.py",
    "tests/dispatcher/test_reuse.py",
)
WORKER_TESTS = (
    "tests/palette_worker/test_attempt.py",
    "tests/palette_worker/test_attempt_trouble.py",
    "tests/palette_worker/test_attempt_limits.py",
    "tests/palette_worker/test_store_trouble.py",
    "tests/palette_worker/test_ledger_away.py",
    "tests/palette_worker/test_alone.py",
    "tests/palette_worker/test_heartbeat.py",
    "tests/palette_worker/test_worker_draining.py",
    "tests/palette_worker/test_worker_routes.py",
)
RECONCILER_TESTS = ("tests/dispatcher/test_reconciler.py",)
REMOVAL_TESTS = (
    "tests/colorway/ledger/test_removal.py",
    "tests/colorway/ledger/test_removal_races.py",
    "tests/dispatcher/test_delete.py",
)
DELIVERY_TESTS = ("tests/dispatcher/test_delivery.py", "tests/dispatcher/test_task_queue.py")
ONCE_TESTS = (
    "tests/colorway/ledger/test_idempotency_keys.py",
    "tests/dispatcher/test_idempotency.py",
    "tests/dispatcher/test_idempotency_in_flight.py",
)
QUOTA_TESTS = (
    "tests/colorway/ledger/test_quotas.py",
    "tests/colorway/ledger/test_lock_order.py",
    "tests/dispatcher/test_over_quota.py",
)

MUTANTS = (
    Mutant(
        "counters move though the guard found no row",
        LEASE,
        """        raise LeaseLost(f"attempt {held.attempt} no longer""",
        """        _ = LeaseLost(f"attempt {held.attempt} no longer""",
        LEDGER_TESTS,
    ),
    Mutant(
        "finish without the fence",
        LEASE,
        """    colorways.c.fence == bindparam("of_fence"),
    colorways.c.status == Status.PROCESSING,""",
        """    colorways.c.fence >= bindparam("of_fence"),
    colorways.c.status == Status.PROCESSING,""",
        LEDGER_TESTS,
    ),
    Mutant(
        "a claim that asks for no epoch",
        LEASE,
        """        colorways.c.epoch == bindparam("of_epoch"),
        colorways.c.status == Status.PENDING,""",
        """        colorways.c.epoch >= bindparam("of_epoch"),
        colorways.c.status == Status.PENDING,""",
        LEDGER_TESTS,
    ),
    Mutant(
        "a claim that leaves the fence",
        LEASE,
        "        fence=colorways.c.fence + 1,\n        attempts=",
        "        fence=colorways.c.fence + 0,\n        attempts=",
        LEDGER_TESTS,
    ),
    Mutant(
        "a give-back that counts as a try",
        LEASE,
        "    tries = held.tries + counts\n",
        "    tries = held.tries + 1\n",
        LEDGER_TESTS,
    ),
    Mutant(
        "a lease that is never renewed",
        LEASE,
        """RENEW = update(colorways).where(_HELD).values(leased_until=bindparam("until"))""",
        """RENEW = update(colorways).where(_HELD, colorways.c.leased_until > bindparam("until"))"""
        """.values(leased_until=bindparam("until"))""",
        (*LEDGER_TESTS, "tests/palette_worker/test_heartbeat.py"),
    ),
    Mutant(
        "leases are taken back before they run out",
        LAPSE,
        """        colorways.c.status == Status.PROCESSING,
        colorways.c.leased_until < _NOW,
    )
    .values(""",
        """        colorways.c.status == Status.PROCESSING,
        colorways.c.opened_at <= _NOW,
    )
    .values(""",
        LEDGER_TESTS,
    ),
    Mutant(
        "a lease that ran out is no try",
        LAPSE,
        "        tries=colorways.c.tries + 1,\n        alone=True,",
        "        tries=colorways.c.tries + 0,\n        alone=True,",
        LEDGER_TESTS,
    ),
    Mutant(
        "a lease that ran out nudges nobody",
        LAPSE,
        "        outbox.nudge_again(session, colorway, beyond=lapse.nudge, now=now)",
        "        pass",
        LEDGER_TESTS,
    ),
    Mutant(
        "deaths in company accuse the source",
        LAPSE,
        "    if was_alone:\n",
        "    if was_alone or True:\n",
        LEDGER_TESTS,
    ),
    Mutant(
        "stop forgets what is given back after the failure",
        LEASE,
        """    stopped = stop_pending(session, held.job, held.colorway, has_failed=False, now=now)
    return some_moved(session, held.job, now=now, cancelled=len(stopped))""",
        """    stopped: list[UUID] = []
    return some_moved(session, held.job, now=now, cancelled=len(stopped))""",
        LEDGER_TESTS,
    ),
    Mutant(
        "a cancel that leaves running colorways to their attempts",
        COMMANDS,
        "        colorways.c.status.in_((Status.PENDING, Status.PROCESSING)),",
        "        colorways.c.status.in_((Status.PENDING,)),",
        LEDGER_TESTS,
    ),
    Mutant(
        "a cancel that leaves the task to be delivered",
        COMMANDS,
        "    outbox.forget_job(session, job)\n",
        "",
        LEDGER_TESTS,
    ),
    Mutant(
        "a retry of the same epoch",
        COMMANDS,
        "        epoch=colorways.c.epoch + 1,",
        "        epoch=colorways.c.epoch + 0,",
        LEDGER_TESTS,
    ),
    Mutant(
        "a retry that the outbox never hears of",
        COMMANDS,
        "        outbox.announce(session, reopened, now=now)\n",
        "",
        LEDGER_TESTS,
    ),
    Mutant(
        "a retry that keeps its job ended",
        COMMANDS,
        "        finished_at=None,\n        version=",
        "        version=",
        LEDGER_TESTS,
    ),
    Mutant(
        "a job without its outbox",
        "colorway/ledger/submission.py",
        "    outbox.announce_job(session, job, now=now)\n",
        "",
        (*LEDGER_TESTS, *DELIVERY_TESTS),
    ),
    Mutant(
        "the outbox is written after the commit",
        "colorway/ledger/submission.py",
        "        outbox.announce_job(session, job, now=now)\n",
        "        pass\n",
        ONCE_TESTS,
        also=(
            Edit(
                "dispatcher/intake.py",
                "        self._tell_log(job, wanted)\n",
                "        from colorway.ledger.outbox import announce_job\n"
                "        with self.ledger.transaction() as session:\n"
                "            announce_job(session, job.id, now=now)\n"
                "        self._tell_log(job, wanted)\n",
            ),
        ),
    ),
    Mutant(
        "the version stays when a colorway moves",
        PROGRESS,
        "else_=literal(None)),\n        version=jobs.c.version + 1,",
        "else_=literal(None)),\n        version=jobs.c.version + 0,",
        LEDGER_TESTS,
    ),
    Mutant(
        "counters are repaired without the lock",
        REPAIRS,
        """LOCK_JOB = select(jobs).where(jobs.c.id == bindparam("job")).with_for_update()""",
        """LOCK_JOB = select(jobs).where(jobs.c.id == bindparam("job"))""",
        LEDGER_TESTS,
    ),
    Mutant(
        "a lost picture keeps its row",
        REPAIRS,
        """    session.execute(FORGET, {"rendition": rendition})\n""",
        "",
        LEDGER_TESTS,
    ),
    Mutant(
        "the list of jobs goes on with those of another account",
        "colorway/ledger/job_list.py",
        "        jobs.c.account_id >= _ACCOUNT,\n",
        "",
        ("tests/colorway/ledger/test_job_list.py", "tests/dispatcher/test_list_jobs.py"),
    ),
    Mutant(
        "a deletion that locks no picture",
        REMOVAL,
        "    .with_for_update()\n)\nLOCK_PICTURES",
        ")\nLOCK_PICTURES",
        REMOVAL_TESTS,
    ),
    Mutant(
        "a deletion that takes a job as it was before the wait",
        REMOVAL,
        "    locked = _require_done(find_job_to_write(session, account, job))\n",
        "    locked = find_job_to_write(session, account, job) and seen\n",
        REMOVAL_TESTS,
    ),
    Mutant(
        "a deletion that leaves the outbox to the cascade",
        REMOVAL,
        "    outbox.forget_job(session, job)  #",
        "    #",
        REMOVAL_TESTS,
    ),
    Mutant(
        "a source is deleted while a submission refers to it",
        "colorway/ledger/images.py",
        "BY_ID_TO_USE = BY_ID.with_for_update(read=True, key_share=True)",
        "BY_ID_TO_USE = BY_ID",
        REMOVAL_TESTS,
    ),
    Mutant(
        "a store that is away undoes a deletion",
        "dispatcher/removal.py",
        "        with suppress(Exception):  #",
        "        with suppress(KeyError):  #",
        REMOVAL_TESTS,
    ),
    Mutant(
        "the reconciler is off",
        "dispatcher/reconciler/call.py",
        "                counts[kind] = duty()\n",
        "                counts[kind] = 0\n",
        RECONCILER_TESTS,
    ),
    Mutant(
        "trouble with one duty ends the others",
        "dispatcher/reconciler/call.py",
        "                trouble = trouble or error\n                continue\n",
        "                raise error from None\n",
        RECONCILER_TESTS,
    ),
    Mutant(
        "the reconciler replaces tasks that the queue still has",
        "dispatcher/reconciler/tasks.py",
        "                if is_known:\n",
        "                if not is_known:\n",
        RECONCILER_TESTS,
    ),
    Mutant(
        "the outbox forgets what the queue did not take",
        "dispatcher/delivery.py",
        "            if call in done and call.result()\n",
        "            if call in done\n",
        (*DELIVERY_TESTS, *RECONCILER_TESTS),
    ),
    Mutant(
        "a task that is there already is trouble",
        "dispatcher/task_queue.py",
        "        except exceptions.AlreadyExists:\n            return\n",
        "        except exceptions.AlreadyExists:\n            raise TryLater('it is') from None\n",
        DELIVERY_TESTS,
    ),
    Mutant(
        "the rest of a large job is left to nobody",
        "dispatcher/delivery.py",
        "        if len(waiting) > most:",
        "        if len(waiting) > most and not most:",
        DELIVERY_TESTS,
    ),
    Mutant(
        "a key is completed by whoever comes",
        "colorway/ledger/idempotency.py",
        """_IS_HELD = and_(_THIS_KEY, idempotency_keys.c.holder == bindparam("of_holder"))""",
        """_IS_HELD = and_(_THIS_KEY, bindparam("of_holder") == bindparam("of_holder"))""",
        ONCE_TESTS,
    ),
    Mutant(
        "a key that is never tied to its job",
        "dispatcher/intake.py",
        "                complete(session, once, job.id)\n",
        "                _ = complete\n",
        ONCE_TESTS,
    ),
    Mutant(
        "two attempts share a key in the store",
        "colorway/image_keys.py",
        "{colorway}-{fence}",
        "{colorway}",
        (*WORKER_TESTS, "tests/colorway/test_image_keys.py"),
    ),
    Mutant(
        "an object is dropped whatever ended its attempt",
        "palette_worker/steps.py",
        "        except LeaseLost:\n            if tries == 1:\n",
        "        except Exception:\n            if tries:\n",
        WORKER_TESTS,
    ),
    Mutant(
        "an upload goes on when its attempt must stop",
        "palette_worker/steps.py",
        "        self._may_go_on()\n        return super().read(size)\n",
        "        return super().read(size)\n",
        ("tests/palette_worker/test_upload.py",),
    ),
    Mutant(
        "what an account has is counted, and nobody kept from adding to it",
        QUOTAS,
        "OWN.with_for_update(key_share=True)",
        "OWN",
        QUOTA_TESTS,
    ),
    Mutant(
        "foreign keys wait for whoever fills an account",
        QUOTAS,
        "OWN.with_for_update(key_share=True)",
        "OWN.with_for_update()",
        QUOTA_TESTS,
    ),
    Mutant(
        "a picture is reused whoever's it is",
        "colorway/ledger/reuse.py",
        '        renditions.c.account_id == bindparam("account"),\n',
        "",
        REUSE_TESTS,
    ),
    Mutant(
        "a picture may be deleted while a job begins with it",
        "colorway/ledger/reuse.py",
        "    .with_for_update(read=True, key_share=True)\n",
        "",
        REUSE_TESTS,
    ),
    Mutant(
        "whoever wants all of it rendered is not heard",
        "colorway/ledger/submission.py",
        '{} if wanted.reuse == "force" else ',
        "",
        REUSE_TESTS,
    ),
    Mutant(
        "a retry that no quota holds",
        "dispatcher/intake.py",
        "            room.require(reopened)\n",
        "",
        QUOTA_TESTS,
    ),
    Mutant(
        "the picture that counts is dropped",
        "palette_worker/steps.py",
        "        if winner != stored.key:\n            self._drop(stored.key)\n",
        "        self._drop(winner)\n",
        WORKER_TESTS,
    ),
    Mutant(
        "a task that another attempt holds is forgotten",
        "palette_worker/routes.py",
        "409 if outcome is Outcome.HELD else 204",
        "204 if outcome is Outcome.HELD else 204",
        WORKER_TESTS,
    ),
    Mutant(
        "what must be alone has others beside it",
        "palette_worker/attempt.py",
        "    if order.alone:\n        return",
        "    if order.alone and not order:\n        return",
        WORKER_TESTS,
    ),
    Mutant(
        "what could not be given back is forgotten",
        "palette_worker/heartbeat.py",
        "            owed, self._owed = self._owed, []\n",
        "            owed, self._owed = [], []\n",
        WORKER_TESTS,
    ),
    Mutant(
        "nobody asks a store in trouble a second time",
        "palette_worker/patience.py",
        "MOST_TRIES = 4",
        "MOST_TRIES = 1",
        WORKER_TESTS,
    ),
)
