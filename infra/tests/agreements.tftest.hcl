# Each agreement between settings, broken once: the plan must say so. No cloud and no credentials.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

run "as_given" {
  command = plan
}

run "more_dispatches_than_slots" {
  command = plan
  variables {
    worker = { max_instances = 1 }
  }
  expect_failures = [terraform_data.agreements]
}

run "no_thread_to_spare_in_a_worker" {
  command = plan
  variables {
    worker = { max_instances = 25, threads = 5 }
  }
  expect_failures = [terraform_data.agreements]
}

run "no_thread_to_spare_in_the_dispatcher" {
  command = plan
  variables {
    dispatcher = { max_instances = 1, threads = 100, concurrency = 100 }
  }
  expect_failures = [terraform_data.agreements]
}

run "an_attempt_that_outlives_its_request" {
  command = plan
  variables {
    worker = { max_instances = 25, time_budget_s = 540, timeout_s = 540 }
  }
  expect_failures = [terraform_data.agreements]
}

run "a_request_that_outlives_the_deadline" {
  command = plan
  variables {
    worker = { max_instances = 25, timeout_s = 900 }
  }
  expect_failures = [terraform_data.agreements]
}

run "a_deadline_that_cloud_tasks_refuses" {
  command = plan
  variables {
    dispatch_deadline_s = 1801
  }
  expect_failures = [terraform_data.agreements]
}

run "more_connections_than_the_ledger_has" {
  command = plan
  variables {
    dispatcher = { max_instances = 2, database_pool = 200 }
  }
  expect_failures = [terraform_data.agreements]
}

run "supabase_without_its_url" {
  command = plan
  variables {
    image_store = "supabase"
    supabase    = null
  }
  expect_failures = [var.supabase]
}

run "a_queue_that_no_priority_has" {
  command = plan
  variables {
    queues = { fast = { max_concurrent_dispatches = 1 } }
  }
  expect_failures = [var.queues]
}

run "a_store_that_is_none" {
  command = plan
  variables {
    image_store = "ftp"
  }
  expect_failures = [var.image_store]
}

run "a_name_too_long_for_an_account" {
  command = plan
  variables {
    name = "colorway-for-everybody"
  }
  expect_failures = [var.name]
}
