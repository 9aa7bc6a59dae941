# What the services are told agrees with what was made for them.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id = "a-project"
  region     = "europe-west4"

  dispatcher = { max_instances = 1 }
  worker     = { max_instances = 3 }
  queues = {
    high   = { max_concurrent_dispatches = 5 }
    normal = { max_concurrent_dispatches = 5 }
    low    = { max_concurrent_dispatches = 1 }
  }
  database    = { managed = true, max_connections = 100 }
  image_store = "gcs"
  supabase    = null
}

run "urls" {
  command = plan

  assert {
    condition     = output.worker_url == "https://colorway-worker-123456789012.europe-west4.run.app"
    error_message = "Cloud Run gives the worker another URL."
  }
  assert {
    condition     = google_cloud_scheduler_job.call["reconcile"].http_target[0].oidc_token[0].audience == output.dispatcher_url
    error_message = "The scheduler's token is for somebody else."
  }
}

run "queues" {
  command = plan

  override_resource {
    target          = random_id.queues
    override_during = plan
    values          = { hex = "abc123" }
  }

  assert {
    condition     = alltrue([for kind, name in output.queues : kind == "smoke" || replace(local.task_queues, "{priority}", kind) == "projects/a-project/locations/europe-west4/queues/${name}"])
    error_message = "The dispatcher is told of other queues than there are."
  }
  assert {
    condition     = alltrue([for queue in google_cloud_tasks_queue.queue : queue.retry_config[0].max_attempts == -1])
    error_message = "A queue gives up."
  }
}
